#include "bill/parts.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "input/utf8.h"
#include "units/number.h"

namespace fathom::bill {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct KindWords {
  PartKind kind;
  std::initializer_list<std::string_view> words;
};
const KindWords kKindWords[] = {
    {PartKind::kAccelerator,
     {"gpu", "npu", "dcu", "显卡", "加速卡", "图形卡", "算力卡", "accelerator", "gpus", "graphics card"}},
    {PartKind::kHost,
     {"服务器", "主机", "整机", "一体机", "工作站", "机箱", "节点", "主板", "server", "servers", "chassis",
      "workstation", "node", "nodes", "motherboard", "mainboard", "barebone", "appliance"}},
    {PartKind::kCpu, {"cpu", "cpus", "处理器", "processor", "processors"}},
    {PartKind::kMemory, {"内存", "内存条", "dimm", "dimms", "rdimm", "ram", "memory", "dram"}},
    {PartKind::kDisk,
     {"ssd", "ssds", "hdd", "hdds", "硬盘", "固态盘", "磁盘", "nvme", "disk", "disks", "drive", "drives"}},
    {PartKind::kStorage, {"存储", "nas", "storage", "filer"}},
    {PartKind::kNic,
     {"网卡", "hca", "nic", "nics", "dpu", "适配器", "adapter", "adapters", "网络接口卡", "network card"}},
    {PartKind::kSwitch, {"交换机", "switch", "switches", "路由器", "router"}},
    {PartKind::kOptic, {"光模块", "收发器", "transceiver", "transceivers", "optic", "optics", "sfp", "光收发"}},
    {PartKind::kCable,
     {"线缆", "光纤", "光缆", "铜缆", "网线", "跳线", "布线", "电缆", "cable", "cables", "cabling", "dac", "aoc",
      "fibre", "fiber", "patch cord"}},
    {PartKind::kRack, {"机柜", "rack", "racks", "cabinet", "cabinets"}},
    {PartKind::kPsu, {"电源", "psu", "psus", "power supply", "power supplies", "电源模块"}},
    {PartKind::kPdu, {"pdu", "pdus", "配电", "配电单元", "power distribution"}},
    {PartKind::kUps, {"ups", "不间断电源"}},
    {PartKind::kCooling,
     {"水冷", "液冷", "冷板", "散热", "散热器", "空调", "cdu", "冷却", "cooling", "cooler", "chiller", "crac", "风扇",
      "fan", "fans"}},
    {PartKind::kLicence,
     {"授权", "许可", "软件", "license", "licenses", "licence", "licences", "software", "subscription", "vsphere",
      "操作系统", "订阅"}},
    {PartKind::kSupport, {"维保",        "质保",         "售后",    "运维",     "服务费",     "技术支持",   "安装",
                          "调试",        "部署",         "实施",    "调优",     "集成",       "support",    "warranty",
                          "maintenance", "installation", "service", "services", "deployment", "integration"}},
    {PartKind::kStaff, {"团队", "人力", "人员", "工程师", "staff", "team", "engineer", "engineers", "personnel"}},
    {PartKind::kSpares, {"备件", "备品", "spare", "spares"}},
    {PartKind::kElectricity, {"电费", "电力", "用电", "能耗", "electricity", "energy"}},
    {PartKind::kSpace, {"机房", "空间", "场地", "托管", "colocation", "hosting", "floor space"}},
    {PartKind::kAccessory,
     {"供电", "支架", "托架",  "配件",   "桥接",    "导轨",  "改造",   "套件", "bracket", "kit",
      "kits", "rail", "rails", "bridge", "bridges", "riser", "nvlink", "线束", "耗材",    "其他"}}};

// What stands before the first bracket or "for": the rest says what it goes with.
std::string head_of(std::string_view text) {
  std::string head = lower(text);
  std::size_t end = head.size();
  for (const std::string_view stop : {"(", "[", ",", "，", ";", "；", "、", " for ", " with ", " w/", "含", "用于"}) {
    const std::size_t at = head.find(stop);
    if (at != std::string::npos && at > 0) end = std::min(end, at);
  }
  return head.substr(0, end);
}

bool stands_alone(const std::string& text, std::size_t at, std::string_view word) {
  if (static_cast<unsigned char>(word[0]) >= 0x80) return true;
  const std::size_t end = at + word.size();
  return (at == 0 || !is_letter(text[at - 1])) && (end == text.size() || !is_letter(text[end]));
}

// ---------------------------------------------------------------------------------------------------------------------
// Names of the catalog in a text

// Runs of one script, with "8xH100" and "H100x8" taken apart.
std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> tokens;
  int last = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const bool times = (c == 'x' || c == 'X') && i > 0 && is_digit(text[i - 1]);
    const bool from_count = times && (is_letter(next) || next == ' ') && !tokens.empty() &&
                            std::all_of(tokens.back().begin(), tokens.back().end(), is_digit);
    const bool to_count = times && is_digit(next);
    const bool word = is_digit(c) || is_letter(c) || c == '+';
    const int kind = from_count || to_count ? 0 : static_cast<unsigned char>(c) >= 0x80 ? 2 : word ? 1 : 0;
    if (kind != last && kind != 0) tokens.emplace_back();
    if (kind != 0) tokens.back() += c;
    if (from_count || to_count || c == '*') tokens.emplace_back("×");
    last = from_count || to_count || c == '*' ? 0 : kind;
  }
  return tokens;
}

constexpr std::size_t kLongestName = 5;  // tokens

struct Window {
  std::size_t first = 0, last = 0;
  std::string text;
};

// Longest first: "A100 PCIe 80GB" before "A100".
std::vector<Window> windows_of(const std::vector<std::string>& tokens) {
  std::vector<Window> out;
  for (std::size_t length = std::min(kLongestName, tokens.size()); length > 0; --length) {
    for (std::size_t first = 0; first + length <= tokens.size(); ++first) {
      Window window{.first = first, .last = first + length - 1, .text = {}};
      for (std::size_t i = first; i <= window.last; ++i) window.text += (i > first ? " " : "") + tokens[i];
      out.push_back(std::move(window));
    }
  }
  return out;
}

// Three letters and more, or letters with digits: "T4" names a card, "4" and "IB" do not.
bool may_name(const std::string& text, bool numbers) {
  const bool digits = std::any_of(text.begin(), text.end(), is_digit);
  const bool letters = std::any_of(text.begin(), text.end(),
                                   [](char c) { return is_letter(c) || static_cast<unsigned char>(c) >= 0x80; });
  return digits && (letters || (numbers && text.size() >= 4));
}

template <class T>
std::vector<const T*> named_in(const std::vector<std::string>& tokens, const Catalog& catalog, bool numbers,
                               Window* found = nullptr) {
  for (const Window& window : windows_of(tokens)) {
    if (!may_name(window.text, numbers)) continue;
    std::vector<const T*> meant = catalog.meant_by<T>(window.text);
    if (meant.empty()) continue;
    if (found != nullptr) *found = window;
    return meant;
  }
  return {};
}

// "SXM", "PCIe" and the memory tell variants apart where the text has them.
void narrow(std::vector<const Accelerator*>& meant, const std::string& text) {
  const auto keep = [&](auto fits) {
    std::vector<const Accelerator*> fitting;
    std::copy_if(meant.begin(), meant.end(), std::back_inserter(fitting), fits);
    if (!fitting.empty()) meant = fitting;
  };
  for (const Measure& measure : measures_in(text)) {
    const std::string unit = lower(measure.unit);
    if (unit != "gb" && unit != "gib" && unit != "g") continue;
    keep([&](const Accelerator* a) { return std::abs(a->memory.value.value / 0x1p30 / measure.value - 1) < 0.02; });
  }
  for (const char* form : {"sxm", "pcie", "nvl", "oam"}) {
    if (text.find(form) == std::string::npos) continue;
    keep([&](const Accelerator* a) { return a->id.find(form) != std::string::npos; });
  }
}

double number_of(const std::string& token) {
  const auto number = scan_number(token);
  return number && number->rest.empty() && number->in_range ? number->value : 0;
}

// "8 × H100" or "H100 × 8"; 0 when it does not say.
double times_of(const std::vector<std::string>& tokens, const Window& name) {
  const auto is_times = [&](std::size_t i) { return i < tokens.size() && (tokens[i] == "×" || tokens[i] == "x"); };
  if (name.first >= 2 && is_times(name.first - 1)) return number_of(tokens[name.first - 2]);
  if (is_times(name.last + 1) && name.last + 2 < tokens.size()) return number_of(tokens[name.last + 2]);
  return 0;
}

double cards_stated(const std::string& text) {
  for (const Measure& measure : measures_in(text)) {
    const std::string unit = lower(measure.unit);
    if (unit.starts_with("卡") || unit == "gpu" || unit == "gpus" || unit == "npu") return measure.value;
    if (unit.empty() && (measure.behind.starts_with("-gpu") || measure.behind.starts_with("gpu"))) return measure.value;
  }
  return 0;
}

PartKind kind_by_words(const Row& row) {
  for (const Field field : {Field::kItem, Field::kModel, Field::kSpec}) {
    if (const PartKind kind = kind_of(row.text(field)); kind != PartKind::kUnknown) return kind;
  }
  return PartKind::kUnknown;
}

void find_accelerators(const std::string& text, const Catalog& catalog, Part& part) {
  const std::vector<std::string> tokens = tokens_of(text);
  Window window;
  part.accelerators = named_in<Accelerator>(tokens, catalog, part.kind == PartKind::kAccelerator, &window);
  if (part.accelerators.empty()) return;
  part.called = window.text;
  narrow(part.accelerators, lower(part.row->words()));
  // "NF5688M7, 8*H100": nobody calls it a server, but it holds eight cards.
  if (part.kind == PartKind::kUnknown)
    part.kind = times_of(tokens, window) > 1 ? PartKind::kHost : PartKind::kAccelerator;
  if (part.kind == PartKind::kAccelerator) part.accelerators_each = 1;
  if (part.kind == PartKind::kHost) {
    part.accelerators_each = times_of(tokens, window);
    if (part.accelerators_each == 0) part.accelerators_each = cards_stated(lower(part.row->words()));
  }
}

template <class T>
bool find_named(const std::string& text, const Catalog& catalog, PartKind kind, std::vector<const T*>& out,
                Part& part) {
  if (part.kind != PartKind::kUnknown && part.kind != kind) return false;
  Window window;
  out = named_in<T>(tokens_of(text), catalog, false, &window);
  if (out.empty()) return false;
  part.kind = kind;
  part.called = window.text;
  return true;
}

void find_licences(const std::string& text, const Catalog& catalog, Part& part) {
  const std::string plain = normalised_name(text);
  for (const Licence& licence : catalog.all<Licence>()) {
    const std::string name = normalised_name(licence.name);
    // "VMware vSphere" is sold as vSphere Foundation.
    const bool named = plain.find(name) != std::string::npos ||
                       (plain.find("vsphere") != std::string::npos && name.find("vsphere") != std::string::npos);
    if (!named) continue;
    part.kind = PartKind::kLicence;
    part.licences = {&licence};
    part.called = licence.name;
    return;
  }
}

Part part_of(const Row& row, const Catalog& catalog) {
  Part part{.kind = kind_by_words(row), .row = &row};
  if (row.quantity && !row.quantity->open) part.count = row.quantity->low;
  const std::string text = row.text(Field::kItem) + " | " + row.text(Field::kModel) + " | " + row.text(Field::kSpec);
  find_licences(text, catalog, part);
  if (part.kind == PartKind::kUnknown || part.kind == PartKind::kHost) {
    Window window;
    part.servers = named_in<Server>(tokens_of(text), catalog, false, &window);
    // "H100" is short for a machine with eight of them as well; alone it is the card.
    if (!catalog.meant_by<Accelerator>(window.text).empty()) part.servers.clear();
    if (!part.servers.empty()) {
      part.kind = PartKind::kHost;
      part.accelerators_each = part.servers.front()->accelerators.value_or(0);
      if (part.servers.front()->accelerator)
        part.accelerators = catalog.meant_by<Accelerator>(*part.servers.front()->accelerator);
      return part;
    }
  }
  find_named<NetworkCard>(text, catalog, PartKind::kNic, part.nics, part) ||
      find_named<Switch>(text, catalog, PartKind::kSwitch, part.switches, part) ||
      find_named<Optic>(text, catalog, PartKind::kOptic, part.optics, part) ||
      find_named<Cpu>(text, catalog, PartKind::kCpu, part.cpus, part);
  if (part.kind == PartKind::kUnknown || part.kind == PartKind::kAccelerator || part.kind == PartKind::kHost) {
    find_accelerators(text, catalog, part);
  }
  if (part.kind == PartKind::kUnknown) part.kind = kind_of(row.text(Field::kCategory));
  return part;
}

}  // namespace

PartKind kind_of(std::string_view text) {
  const std::string head = head_of(text);
  PartKind kind = PartKind::kUnknown;
  std::size_t last = 0, longest = 0;
  for (const KindWords& row : kKindWords) {
    for (const std::string_view word : row.words) {
      for (std::size_t at = head.find(word); at != std::string::npos; at = head.find(word, at + 1)) {
        if (!stands_alone(head, at, word)) continue;
        if (row.kind == PartKind::kSpares) return row.kind;  // of whatever they are
        const std::size_t end = at + word.size();
        if (end < last || (end == last && word.size() <= longest)) continue;
        kind = row.kind;
        last = end;
        longest = word.size();
      }
    }
  }
  return kind;
}

std::vector<Measure> measures_in(std::string_view text) {
  const std::string plain = plain_text(text);
  std::vector<Measure> out;
  for (std::size_t i = 0; i < plain.size();) {
    const bool times = i > 1 && (plain[i - 1] == 'x' || plain[i - 1] == 'X') && is_digit(plain[i - 2]);  // "1x400G"
    const bool starts = is_digit(plain[i]) && (i == 0 || times || (!is_letter(plain[i - 1]) && plain[i - 1] != '.'));
    if (!starts) {
      const bool digits = is_digit(plain[i]);  // of a name such as A100: its second digit starts no figure either
      for (++i; digits && i < plain.size() && is_digit(plain[i]);) ++i;
      continue;
    }
    const auto number = scan_number(std::string_view(plain).substr(i));
    if (!number || !number->in_range) {
      while (i < plain.size() && is_digit(plain[i])) ++i;
      continue;
    }
    Measure measure{.value = number->value, .unit = {}, .behind = {}};
    std::string_view rest = number->rest;
    std::size_t length = 0;
    while (length < rest.size() && (is_letter(rest[length]) || (length > 0 && rest[length] == '/'))) ++length;
    if (length == 0 && !rest.empty() && static_cast<unsigned char>(rest[0]) >= 0x80)
      length = std::max<std::size_t>(1, code_point_at(rest, 0).length);
    measure.unit = rest.substr(0, length);
    measure.behind = lower(rest.substr(length));
    i = plain.size() - rest.size();
    out.push_back(std::move(measure));
  }
  return out;
}

std::optional<StatedPorts> ports_in(std::string_view text) {
  const std::string plain = lower(text);
  const std::vector<Measure> all = measures_in(plain);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string& unit = all[i].unit;
    const bool times = unit == "×" || unit == "x" || (unit.empty() && all[i].behind.starts_with("*"));
    if (times && i + 1 < all.size() && (all[i + 1].unit.starts_with("g") && all[i + 1].unit != "gb"))
      return StatedPorts{.count = all[i].value, .rate = BytesPerSecond(all[i + 1].value * 1e9 / 8)};
    const bool counted = unit == "口" || unit == "端" || unit == "port" || unit == "ports" ||
                         (unit.empty() && (all[i].behind.starts_with("-port") || all[i].behind.starts_with("口")));
    if (counted) return StatedPorts{.count = all[i].value, .rate = {}};
  }
  for (const char* two : {"双端口", "双口", "dual port", "dual-port", "2-port"}) {
    if (plain.find(two) != std::string::npos) return StatedPorts{.count = 2, .rate = {}};
  }
  return std::nullopt;
}

std::vector<Part> parts_of(const Bill& bill, const Catalog& catalog) {
  std::vector<Part> out;
  for (const Row& row : bill.rows) {
    if (row.kind == RowKind::kItem) out.push_back(part_of(row, catalog));
  }
  return out;
}

}  // namespace fathom::bill
