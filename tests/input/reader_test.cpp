#include "input/reader.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace fathom {
namespace {

using Use = std::function<void(MapReader&)>;

// What a reader complains about: "line:column message | hint".
std::string complaint(const std::string& text, const Use& use) {
  const Document document = parse_yaml(text, "test.yaml");
  try {
    MapReader reader(document.file, document.root, "a node");
    use(reader);
    reader.finish();
  } catch (const InputError& error) {
    std::string out = std::to_string(error.at().line) + ":" + std::to_string(error.at().column) + " " + error.message();
    return error.hint().empty() ? out : out + " | " + error.hint();
  }
  return "no complaint";
}

template <class T>
std::string reading(const std::string& value) {
  return complaint("v: " + value, [](MapReader& reader) { reader.required<T>("v"); });
}

template <class T>
T read_value(const std::string& value) {
  const Document document = parse_yaml("v: " + value, "test.yaml");
  return MapReader(document.file, document.root, "a node").required<T>("v");
}

TEST(Reader, ReadsEveryTypeThatCanStandInAFile) {
  EXPECT_EQ(read_value<std::string>("x y"), "x y");
  EXPECT_EQ(read_value<std::string>("'30'"), "30");
  EXPECT_EQ(read_value<bool>("true"), true);
  EXPECT_EQ(read_value<double>("0.25"), 0.25);
  EXPECT_EQ(read_value<int>("8"), 8);
  EXPECT_EQ(read_value<int>("-8"), -8);
  EXPECT_EQ(read_value<std::int64_t>("9007199254740993"), 9007199254740993);  // 2^53 + 1, which no double holds
  EXPECT_EQ(read_value<std::int64_t>("1e6"), 1000000);
  EXPECT_EQ(read_value<std::int64_t>("1_000_000"), 1000000);
  EXPECT_EQ(read_value<Bytes>("80 GB"), 80_GB);
  EXPECT_EQ(read_value<BytesPerSecond>("400 Gb/s"), 50_GBps);
  EXPECT_EQ(read_value<FlopsPerSecond>("\"989 TFLOPS\""), 989_TFLOPS);
  EXPECT_EQ(read_value<Seconds>("24 h"), 24_hours);
  EXPECT_EQ(read_value<Watts>("700 W"), 700_W);
  EXPECT_EQ(read_value<Joules>("1 kWh"), Joules(3.6e6));
  EXPECT_EQ(read_value<Metres>("2 m"), Metres(2));
  EXPECT_EQ(read_value<Hertz>("2 /s"), Hertz(2));
  EXPECT_EQ(read_value<Celsius>("27 C"), Celsius{27});
  EXPECT_EQ(read_value<Money>("85000 CNY"), Money::from_major(85000, "CNY"));
  EXPECT_EQ(read_value<UnitPrice>("0.63 CNY/kWh").micros, 630000);
  EXPECT_EQ(read_value<std::vector<int>>("[1, 2, 3]"), (std::vector<int>{1, 2, 3}));
}

TEST(Reader, SaysWhatItExpectedAndWhatItFound) {
  EXPECT_EQ(reading<std::string>("[a]"), "1:4 expected a text, found a list");
  EXPECT_EQ(reading<int>("{a: 1}"), "1:4 expected a whole number, found a mapping");
  EXPECT_EQ(reading<int>("1.5"), "1:4 expected a whole number, found the number \"1.5\"");
  EXPECT_EQ(reading<int>("many"), "1:4 expected a whole number, found the text \"many\"");
  EXPECT_EQ(reading<int>("'8'"), "1:4 expected a whole number, found the quoted text \"8\" | remove the quotes");
  EXPECT_EQ(reading<int>("8 GPUs"),
            "1:4 expected a whole number, found the text \"8 GPUs\" | write the number alone, without \"GPUs\"");
  EXPECT_EQ(reading<double>("30%"),
            "1:4 expected a number, found the percentage \"30%\" | write it as a fraction: 0.3");
  EXPECT_EQ(reading<double>(".nan"), "1:4 expected a number, found the text \".nan\"");
  EXPECT_EQ(reading<double>("1e999"), "1:4 the number \"1e999\" is out of range");
  EXPECT_EQ(reading<int>("3000000000"), "1:4 the number \"3000000000\" is too large");
  EXPECT_EQ(reading<std::int64_t>("1e30"), "1:4 the number \"1e30\" is too large");
  EXPECT_EQ(reading<Bytes>("[80 GB]"), "1:4 expected an amount of bytes such as \"80 GiB\", found a list");
  EXPECT_EQ(reading<std::vector<int>>("3"),
            "1:4 expected a list, found the number \"3\" | write it as [a, b] or as lines that start with \"- \"");
}

TEST(Reader, TurnsUnitAndMoneyErrorsIntoInputErrorsAtTheValue) {
  EXPECT_EQ(reading<BytesPerSecond>("400 GB"),
            "1:4 expected a bandwidth such as \"400 Gb/s\", got \"400 GB\", an amount of bytes");
  EXPECT_EQ(reading<Money>("85000"),
            "1:4 expected an amount of money such as \"85000 CNY\", got \"85000\", which has no currency");
}

TEST(Reader, AcceptsOnlyTrueAndFalseAsTruth) {
  EXPECT_EQ(reading<bool>("yes"), "1:4 expected true or false, found the text \"yes\" | write true");
  EXPECT_EQ(reading<bool>("Off"), "1:4 expected true or false, found the text \"Off\" | write false");
  EXPECT_EQ(reading<bool>("'true'"), "1:4 expected true or false, found the quoted text \"true\" | write true");
  EXPECT_EQ(reading<bool>("perhaps"), "1:4 expected true or false, found the text \"perhaps\"");
}

TEST(MapReader, NamesUnknownKeysWithTheNearestKnownOne) {
  EXPECT_EQ(complaint("acelerator: h100\n", [](MapReader& reader) { reader.optional<std::string>("accelerator"); }),
            "1:1 unknown key \"acelerator\" in a node | did you mean \"accelerator\"?");
  const Use two_keys = [](MapReader& reader) {
    reader.take("id");
    reader.take("power");
  };
  EXPECT_EQ(complaint("id: a\ncolour: red\n", two_keys),
            "2:1 unknown key \"colour\" in a node | known keys: id, power");
}

TEST(MapReader, LeavesTheWritersOwnKeysAlone) {
  EXPECT_EQ(complaint("id: a\nx-owner: me\n", [](MapReader& reader) { reader.take("id"); }), "no complaint");
}

TEST(MapReader, NamesMissingKeys) {
  const Use id = [](MapReader& reader) { reader.required<std::string>("id"); };
  EXPECT_EQ(complaint("power: 1 W\n", id), "1:1 a node needs the key \"id\"");
  EXPECT_EQ(complaint("power: 1 W\nid:\n", id), "2:1 a node needs the key \"id\", but it is empty here");
}

TEST(MapReader, SeesAMisspeltKeyBehindAMissingOne) {
  EXPECT_EQ(
      complaint("id: a\nacelerator: h100\n", [](MapReader& reader) { reader.required<std::string>("accelerator"); }),
      "2:1 a node needs the key \"accelerator\", found \"acelerator\" | did you mean \"accelerator\"?");
}

TEST(MapReader, IsNoReaderOfListsAndTexts) {
  EXPECT_EQ(complaint("[a]", [](MapReader&) {}),
            "1:1 expected a node, found a list | write it as lines of \"key: value\"");
}

TEST(MapReader, TreatsNullAsAbsent) {
  EXPECT_EQ(complaint("id: ~\n",
                      [](MapReader& reader) {
                        EXPECT_EQ(reader.optional<std::string>("id"), std::nullopt);
                        EXPECT_EQ(reader.get<int>("id", 3), 3);
                      }),
            "no complaint");
}

TEST(MapReader, ChoosesFromAClosedListOfWords) {
  const std::vector<std::string> words = {"ring", "tree"};
  const auto choose = [&](const std::string& text, std::optional<std::size_t> fallback, std::size_t wanted) {
    return complaint(text, [&](MapReader& reader) {
      reader.take("id");
      EXPECT_EQ(reader.choice("algorithm", words, fallback), wanted);
    });
  };
  EXPECT_EQ(choose("algorithm: tree", {}, 1), "no complaint");
  EXPECT_EQ(choose("id: a", 0, 0), "no complaint");
  EXPECT_EQ(choose("id: a", {}, 0), "1:1 a node needs the key \"algorithm\" | expected algorithm: ring or tree");
  EXPECT_EQ(choose("algorithm: rings", {}, 0),
            "1:12 \"algorithm\" must be \"ring\" or \"tree\", found \"rings\" | did you mean \"ring\"?");
}

TEST(FactReader, TakesABareValueAsStated) {
  const auto fact = read_value<Fact<Bytes>>("80 GiB");
  EXPECT_EQ(fact.value, 80_GiB);
  EXPECT_EQ(fact.origin.confidence, Confidence::kStated);
}

TEST(FactReader, ReadsRangeAndOrigin) {
  const auto fact = read_value<Fact<Watts>>(
      "{typical: 700 W, low: 600 W, high: 750 W, source: nv-h100, date: 2024-03, confidence: datasheet}");
  EXPECT_EQ(fact.value, 700_W);
  EXPECT_EQ(fact.low, 600_W);
  EXPECT_EQ(fact.high, 750_W);
  EXPECT_EQ(fact.origin.source, "nv-h100");
  EXPECT_EQ(fact.origin.date, "2024-03");
  EXPECT_EQ(fact.origin.confidence, Confidence::kDatasheet);
}

TEST(FactReader, ReadsListsOfFacts) {
  const auto facts = read_value<std::vector<Fact<double>>>("[1, {value: 2, confidence: measured}]");
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_EQ(facts[1].origin.confidence, Confidence::kMeasured);
}

TEST(FactReader, ComplainsAboutImpossibleRangesDatesAndWords) {
  EXPECT_EQ(reading<Fact<Watts>>("{value: 7 W, low: 8 W}"), "1:4 \"low\" must not be above the value");
  EXPECT_EQ(reading<Fact<Money>>("{value: 7 USD, high: 8 CNY}"), "1:4 \"high\" must not be below the value");
  EXPECT_EQ(reading<Fact<int>>("{value: 7, date: 14.2.2025}"),
            "1:21 expected a date such as 2025-02-14, 2025-02 or 2025, found \"14.2.2025\"");
  EXPECT_NE(reading<Fact<int>>("{value: 7, confidence: datashet}").find("did you mean \"datasheet\"?"),
            std::string::npos);
  EXPECT_EQ(reading<Fact<int>>("{low: 7}"), "1:4 a value with its origin needs the key \"value\"");
}

TEST(CheckRange, NamesTheBoundsThatExist) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto check = [](double low, double high) {
    return complaint(
        "v: 5", [=](MapReader& reader) { check_range(reader.context(reader.need("v")), 5, low, high, "the share"); });
  };
  EXPECT_EQ(check(0, 1), "1:4 the share must be between 0 and 1, found 5");
  EXPECT_EQ(check(6, infinity), "1:4 the share must be at least 6, found 5");
  EXPECT_EQ(check(-infinity, 4), "1:4 the share must be at most 4, found 5");
  EXPECT_EQ(check(0, 5), "no complaint");
}

}  // namespace
}  // namespace fathom
