// Which records this program reads: all minor versions of its major one. Of a newer minor version it leaves unread what it does
// not know, and says so. Inside libprobe/record only.
#pragma once

#include <string>
#include <vector>

#include "input/value.h"
#include "record/machine_record.h"

namespace fathom::probe {

void check_format(const Document& document);  // throws InputError: this is no record
int check_version(const Document& document);  // the minor number; throws InputError: of another major one

std::string newer_than_known(int minor);  // "format_version 1.9 is newer than the 1.2 that this program knows"
// In one sentence what is new: keys, and cases whose meaning is not known.
std::string left_unread(int minor, std::vector<std::string> unread, const MachineRecord& record);

}  // namespace fathom::probe
