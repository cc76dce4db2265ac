#include "input/value.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>

namespace fathom {
namespace {

Value parse(const std::string& text) { return parse_yaml(text, "test.yaml").root; }

// "line:column message", or "no error".
std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const InputError& error) {
    return std::to_string(error.at().line) + ":" + std::to_string(error.at().column) + " " + error.message();
  }
  return "no error";
}

std::string repeated(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(ParseYaml, BuildsATreeThatRemembersPlaces) {
  const Value root = parse("name: lab\nnodes:\n  - {gpus: 8, id: \"30\"}\n  - ~\n");
  ASSERT_EQ(root.kind, Value::Kind::kMapping);
  EXPECT_EQ(root.find("name")->text, "lab");
  EXPECT_EQ(root.entries[1].at.line, 2);
  const Value& node = root.find("nodes")->items.at(0);
  EXPECT_EQ(node.at.line, 3);
  EXPECT_EQ(node.at.column, 5);
  EXPECT_EQ(node.find("gpus")->text, "8");
  EXPECT_FALSE(node.find("gpus")->quoted);
  EXPECT_TRUE(node.find("id")->quoted);
  EXPECT_EQ(root.find("nodes")->items.at(1).kind, Value::Kind::kNull);
  EXPECT_EQ(root.find("missing"), nullptr);
}

TEST(ParseYaml, ReadsJson) {
  const Value root = parse("{\"a\": [1, 2.5, true, null], \"b\": {\"c\": \"x\\n\\u4e07\"}}");
  EXPECT_EQ(root.find("a")->items.size(), 4u);
  EXPECT_EQ(root.find("a")->items[3].kind, Value::Kind::kNull);
  EXPECT_EQ(root.find("b")->find("c")->text, "x\n万");
}

TEST(ParseYaml, TakesEmptyTildeAndNullForNothing) {
  const Value root = parse("a:\nb: ~\nc: null\nd: 'null'\n");
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ(root.find(key)->kind, Value::Kind::kNull) << key;
  EXPECT_EQ(root.find("d")->kind, Value::Kind::kScalar);
  EXPECT_EQ(root.find("a")->at.line, 1);  // at its key, not where the next token stands
}

TEST(ParseYaml, CountsColumnsInCodePoints) {
  // 万 is three bytes and one column.
  const Value root = parse("{万万: x, é: y}");
  EXPECT_EQ(root.entries[0].value.at.column, 6);
  EXPECT_EQ(root.entries[1].at.column, 9);
}

TEST(ParseYaml, IgnoresAByteOrderMarkAndWindowsLineEnds) {
  const Value root = parse(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: 2\r\n");
  EXPECT_EQ(root.find("a")->text, "1");
  EXPECT_EQ(root.entries[0].at.column, 1);
  EXPECT_EQ(root.entries[1].at.line, 2);
}

TEST(ParseYaml, NamesBothLinesOfADuplicateKey) {
  EXPECT_EQ(error_of("a: 1\nb: 2\na: 3\n"), "3:1 duplicate key \"a\": it stands on line 1 already");
  EXPECT_EQ(error_of("{x: {a: 1, \"a\": 2}}"), "1:12 duplicate key \"a\": it stands on line 1 already");
}

TEST(ParseYaml, CopiesWhatAnAliasNames) {
  const Value root = parse("base: &node {gpus: 8}\nothers: [*node, *node]\n");
  EXPECT_EQ(root.find("others")->items.at(1).find("gpus")->text, "8");
  EXPECT_EQ(root.find("others")->items.at(1).at.line, 2);
}

TEST(ParseYaml, RefusesAnAliasInsideItsOwnAnchor) {
  EXPECT_EQ(error_of("a: &loop [1, *loop]\n"), "1:14 this alias stands inside its own anchor, so it would never end");
  EXPECT_EQ(error_of("a: *nobody\n"), "1:4 this alias has no anchor before it");
}

TEST(ParseYaml, EndsAnAliasBombWithAClearMessage) {
  // Each level names the one before ten times: 10^9 values if they were all copied.
  std::string bomb = "a0: &a0 [x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + repeated(", " + before, 9) + "]\n";
  }
  EXPECT_NE(error_of(bomb).find("more than 200000 values, aliases included"), std::string::npos);
}

TEST(ParseYaml, EndsABombOfLongTextsAsWell) {
  // 1 MiB named 100 times.
  const std::string bomb = "a: &a " + std::string(1 << 20, 'x') + "\nb: [*a" + repeated(", *a", 99) + "]\n";
  EXPECT_NE(error_of(bomb).find("aliases expand to more than 64 MiB"), std::string::npos);
}

TEST(ParseYaml, LimitsNestingWithoutOverflowingTheStack) {
  EXPECT_EQ(error_of(repeated("[", 64) + repeated("]", 64)), "no error");
  EXPECT_EQ(error_of(repeated("[", 65) + repeated("]", 65)),
            "1:65 lists and mappings are nested more than 64 levels deep");
  EXPECT_NE(error_of(std::string(100000, '[')), "no error");
  EXPECT_NE(error_of(std::string(100000, '{')), "no error");
  EXPECT_NE(error_of(repeated("- ", 100000)), "no error");
  EXPECT_NE(error_of(repeated("? ", 100000)), "no error");
  EXPECT_NE(error_of(repeated("[a: ", 100000)), "no error");
  EXPECT_NE(error_of(repeated("{a: ", 100000)), "no error");
}

TEST(ParseYaml, AliasesCountAsNesting) {
  std::string text = "a0: &a0 [x]\n";
  for (int i = 1; i < 80; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  }
  EXPECT_NE(error_of(text).find("nested more than 64 levels deep"), std::string::npos);
}

TEST(ParseYaml, LimitsTheNumberOfValues) {
  EXPECT_EQ(error_of("[" + repeated("1,", 150000) + "]"), "no error");
  EXPECT_NE(error_of("[" + repeated("1,", 250000) + "]").find("more than 200000 values"), std::string::npos);
}

TEST(ParseYaml, PointsAtTheFirstBadByte) {
  EXPECT_EQ(error_of("a: 万\nb: \xFF\n"), "2:4 the byte 0xFF is not valid UTF-8");
  EXPECT_EQ(error_of(std::string("a: \0b", 5)), "1:4 the control character 0x00 does not belong in a text file");
  EXPECT_EQ(error_of("a: \x04"), "1:4 the control character 0x04 does not belong in a text file");
}

TEST(ParseYaml, ReadsTheDocumentsOfAStreamWithTheirPlaces) {
  const auto all = parse_yaml_stream("---\na: &x 1\n---\n# nothing\n---\nb: &x 2\nc: *x\n...\n", "f.yaml");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].root.find("a")->text, "1");
  EXPECT_EQ(all[1].file, "f.yaml");
  EXPECT_EQ(all[1].root.find("c")->text, "2");
  EXPECT_EQ(all[1].root.find("b")->at.line, 6);
  EXPECT_THROW(parse_yaml_stream("---\n---\n", "f.yaml"), InputError);
  EXPECT_THROW(parse_yaml_stream("a: &x 1\n---\nb: *x\n", "f.yaml"), InputError);
}

TEST(ParseYaml, RefusesTheLooseEndsOfYaml) {
  EXPECT_EQ(error_of(""), "0:0 the file is empty");
  EXPECT_EQ(error_of("# only a comment\n"), "0:0 the file is empty");
  EXPECT_EQ(error_of("---\n"), "0:0 the file is empty");
  EXPECT_EQ(error_of("a: 1\n---\nb: 2\n"), "2:1 a second document starts here, but a file holds one");
  EXPECT_EQ(error_of("[a]: 1\n"), "1:1 a key must be a single word or text");
  EXPECT_EQ(error_of("{{a: 1}: 2}\n"), "1:2 a key must be a single word or text");
  EXPECT_EQ(error_of("~: 1\n"), "1:1 a key must be a single word or text");
  EXPECT_EQ(error_of("a: !!int 3\n"), "1:4 YAML tags such as \"tag:yaml.org,2002:int\" are not supported");
  EXPECT_EQ(error_of("a: &x {b: 1}\nc:\n  <<: *x\n"), "3:3 merge keys (\"<<\") are not supported");
}

TEST(ParseYaml, ExplainsSyntaxErrorsInPlainWords) {
  EXPECT_EQ(error_of("a: [1, 2\n"), "1:4 this \"[\" is never closed");
  EXPECT_EQ(error_of("{a: {b: 1}\n"), "1:1 this \"{\" is never closed");
  EXPECT_EQ(error_of("a: [1, 2}\n"), "1:9 this closing bracket does not match an opening one");
  EXPECT_EQ(error_of("{a: [1]"), "1:1 this \"{\" is never closed");
  EXPECT_EQ(error_of("{a: 1 b: 2}\n"), "1:8 expected \",\" or \"}\" here");
  EXPECT_EQ(error_of("a: b: c\n"), "1:5 a \":\" is not expected here");
  EXPECT_EQ(error_of("a: @b\n"), "1:4 a text cannot start with this character");
  EXPECT_NE(error_of("a:\n\tb: 1\n"), "no error");
  EXPECT_NE(error_of("a: 1\n- b\n"), "no error");
}

TEST(ParseYaml, MissesNoClosingQuote) {
  EXPECT_EQ(error_of("a: \"open\nb: 2\n"), "1:4 this quoted text is never closed");
  EXPECT_EQ(error_of("a: 'it''s\n"), "1:4 this quoted text is never closed");
  EXPECT_EQ(error_of("a: &x \"open \\\" \n"), "1:4 this quoted text is never closed");
  EXPECT_NE(error_of("a: \"open"), "no error");
  for (const char* text :
       {"a: 'it''s'\n", "a: &x \"\\\\\"\n", "a: \"\"\n", "a: ''\n", "a: |\n  \"open\n", "'a': 'b'\n"}) {
    EXPECT_EQ(error_of(text), "no error") << text;
  }
}

TEST(ParseYaml, SurvivesRandomText) {
  std::mt19937 random(3);
  const std::string alphabet = "ab:-?[]{},&*!|>'\"%@~#\n\n  \t01<=\\x\xE4\xB8\x87";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (auto left = random() % 40; left > 0; --left) text += alphabet[random() % alphabet.size()];
    try {
      parse(text);
    } catch (const InputError&) {
    }
  }
}

TEST(ReadYaml, RefusesWhatIsNoReadableFile) {
  const auto error = [](const char* path) -> std::string {
    try {
      read_yaml(path);
    } catch (const InputError& wrong) {
      EXPECT_EQ(wrong.at().line, 0);
      return wrong.message();
    }
    return "no error";
  };
  EXPECT_EQ(error("no/such/file.yaml"), "there is no such file");
  EXPECT_EQ(error("/"), "this is a directory, not a file");
  EXPECT_EQ(error("/dev/null"), "the file is empty");
  EXPECT_EQ(error("/dev/zero"), "the file is larger than 64 MiB");
}

TEST(ReadYaml, ReadsAFileUnderTheNameItWasGiven) {
  const auto path = std::filesystem::temp_directory_path() / ("fathom-read-" + std::to_string(getpid()) + ".yaml");
  std::ofstream(path) << "a: 1\n";
  const Document document = read_yaml(path);
  std::filesystem::remove(path);
  EXPECT_EQ(document.file, path.string());
  EXPECT_EQ(document.root.find("a")->text, "1");
}

TEST(DidYouMean, FindsTheClosestWord) {
  const std::vector<std::string> words = {"accelerator", "power", "tp", "pp", "node_count"};
  EXPECT_EQ(did_you_mean("acelerator", words), "accelerator");
  EXPECT_EQ(did_you_mean("pwoer", words), "power");  // swapped neighbours are one change
  EXPECT_EQ(did_you_mean("TP", words), "tp");
  EXPECT_EQ(did_you_mean("node-count", words), "node_count");
}

TEST(DidYouMean, StaysSilentWhenNothingIsClose) {
  EXPECT_EQ(did_you_mean("colour", {"power", "tp"}), "");
  EXPECT_EQ(did_you_mean("x", {"y"}), "");
  EXPECT_EQ(did_you_mean("", {"a"}), "");
  EXPECT_EQ(did_you_mean(std::string(1000, 'a'), {"a"}), "");
}

}  // namespace
}  // namespace fathom
