// Recorded requests from the formats in which they are published:
//
//   CSV    Azure LLM inference: TIMESTAMP,ContextTokens,GeneratedTokens        times as dates
//          BurstGPT: Timestamp,Model,Request tokens,Response tokens,…          times in seconds
//          any other with input_len,output_len and perhaps timestamp, priority
//   JSONL  Mooncake: {"timestamp", "input_length", "output_length", "hash_ids"}  milliseconds, blocks of 512 tokens
//
// Names of columns are compared without case, blanks and underscores. Rows without an answer are counted and left out.
#pragma once

#include <filesystem>
#include <string>

#include "simulate/request.h"

namespace fathom {

// Throws InputError with the place of what is wrong.
RequestTrace parse_trace(const std::string& text, const std::string& file_name);
RequestTrace read_trace(const std::filesystem::path& path);

}  // namespace fathom
