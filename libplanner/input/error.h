// Wrong input: thrown where it is found, shown once by main, exit code 2.
#pragma once

#include <stdexcept>
#include <string>

namespace fathom {

// A place in a text file. Both count from 1; the column counts code points, as editors do.
struct Position {
  int line = 0;  // 0: the file as a whole
  int column = 0;
};

class InputError : public std::runtime_error {
 public:
  InputError(std::string file, Position at, std::string message, std::string hint = {});

  const std::string& file() const { return file_; }
  Position at() const { return at_; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }  // may be empty

  // What the writer may have meant: X of `did you mean "X"?`, as all readers ask; empty when there are several or none.
  std::string suggestion() const;

  // The line that the place is in, when it stands in no file: an option of the command line.
  InputError& quoting(std::string text);
  const std::string& quoted() const { return quoted_; }

 private:
  std::string file_;
  Position at_;
  std::string message_;
  std::string hint_;
  std::string quoted_;
};

// error: message
//   --> file:line:column
//    27 | the line
//       |     ^
//    = help: hint
// without a line end. Reads the file again for the line; leaves the excerpt out when it cannot.
std::string render(const InputError& error);

}  // namespace fathom
