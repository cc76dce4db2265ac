#include "validate/arriving_requests.h"

#include <stdexcept>

#include "simulate/arrivals.h"
#include "simulate/scenario.h"

namespace fathom {

RequestTrace arriving_requests(const ServingPool& replica, const ServingLoad& load, const ArrivalPlan& arrivals,
                               std::uint64_t seed) {
  if (arrivals.kind == Arrivals::kClosed) throw std::invalid_argument("the engine serves open arrivals only");
  Scenario scenario;
  scenario.pools = {replica};
  scenario.load = load;
  scenario.arrivals = arrivals;
  check(scenario);
  ArrivalStream stream(arrivals, load, longest_request(scenario.pools), seed);
  const double first = stream.next();
  RequestTrace drawn;
  while (!stream.exhausted()) {
    SimulatedRequest r = stream.take();
    r.arrival -= first;
    r.priority = 0;
    r.in_trace = -1;
    drawn.requests.push_back(r);
  }
  return drawn;
}

}  // namespace fathom
