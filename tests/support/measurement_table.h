// Measurements as text for tests: a good row, and what a test changes in it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "input/csv.h"

namespace fathom {

using Cells = std::map<std::string, std::string>;

inline const std::vector<std::string>& measurement_columns() {
  static const std::vector<std::string> columns =
      parse_csv(
          "id,category,group,completeness,model,weight_format,kv_format,accelerator,accelerators,nodes,host,scale_up,"
          "scale_out,engine,engine_version,role,tp,pp,ep,attention_dp,replicas,prefill_pool,decode_pool,offload,"
          "input_len,output_len,context_len,prefix_hit,load_kind,load,accept_len,metric,value,unit,message_bytes,shape,"
          "confidence,date,source,note\n",
          "columns")
          .columns;
  return columns;
}

// Llama 3.1 8B, one request at a time on one H100.
inline Cells good_row(const Cells& changes = {}) {
  Cells row = {{"id", "t-001"},
               {"category", "b"},
               {"group", "b/test"},
               {"completeness", "full"},
               {"model", "llama-3.1-8b"},
               {"weight_format", "bf16"},
               {"kv_format", "bf16"},
               {"accelerator", "nvidia-h100-sxm5-80gb"},
               {"accelerators", "1"},
               {"nodes", "1"},
               {"scale_up", "none"},
               {"scale_out", "none"},
               {"engine", "vllm"},
               {"engine_version", "0.10.2"},
               {"role", "aggregated"},
               {"tp", "1"},
               {"pp", "1"},
               {"ep", "1"},
               {"attention_dp", "1"},
               {"replicas", "1"},
               {"input_len", "1000"},
               {"output_len", "200"},
               {"load_kind", "single"},
               {"load", "1"},
               {"metric", "tpot_s_mean"},
               {"value", "0.0075"},
               {"unit", "s"}};
  for (const auto& [column, cell] : changes) row[column] = cell;
  return row;
}

inline std::string table_of(const std::vector<Cells>& rows) {
  std::string text;
  for (const std::string& column : measurement_columns()) text += (text.empty() ? "" : ",") + column;
  text += "\n";
  for (const Cells& row : rows) {
    std::string line;
    for (const std::string& column : measurement_columns()) {
      const auto cell = row.find(column);
      if (column != measurement_columns().front()) line += ",";
      if (cell != row.end()) line += csv_cell(cell->second);
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace fathom
