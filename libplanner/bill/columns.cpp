#include "bill/columns.h"

#include <algorithm>
#include <initializer_list>

#include "units/number.h"

namespace fathom::bill {

namespace {

using Words = std::initializer_list<std::string_view>;

struct Names {
  Field field;
  Words exact;     // the whole header, without what stands in brackets
  Words contains;  // a part of it; the first row that has one decides
};

// The order matters: "unit price" before "unit", 总价 before 价, "total power" before "total".
const Names kNames[] = {
    {Field::kShare, {"%"}, {"占比", "比例", "比重", "share", "percent", "% of"}},
    {Field::kPower, {"w", "kw", "tdp"}, {"功耗", "功率", "power", "watt"}},
    {Field::kHeight, {"u", "ru", "高度", "u数", "height"}, {"rack unit", "机架单位"}},
    {Field::kPrice,
     {"价格", "price", "rate", "单位成本"},
     {"单价", "unit price", "unit cost", "price each", "each price", "price per", "price/", "list price",
      "unit_price"}},
    {Field::kTotal,
     {"小计", "合计", "总计", "总额", "金额", "费用", "total", "amount", "subtotal", "cost", "sum", "预算"},
     {"总价", "总成本", "总金额", "总费用", "小计", "合计", "金额", "total", "extended", "ext.", "ext price",
      "line cost", "line price", "amount", "subtotal"}},
    {Field::kQuantity,
     {"数", "数目", "台数", "qty", "qty.", "count", "no. of units", "pcs", "units"},
     {"数量", "quantity", "qty"}},
    {Field::kUnit, {"单位", "unit", "uom", "计量单位"}, {"计量单位"}},
    {Field::kTerm, {"年限", "年数", "月数", "期限", "years", "months", "term"}, {"年限", "服务期", "no. of years"}},
    {Field::kModel,
     {"part", "p/n", "sku", "part no.", "part number"},
     {"型号", "model", "part number", "part no", "sku"}},
    {Field::kSpec, {"配置", "参数"}, {"规格", "技术参数", "配置", "spec", "configuration"}},
    {Field::kVendor,
     {"品牌", "厂商", "brand", "maker"},
     {"厂家", "品牌", "厂商", "制造商", "供应商", "vendor", "manufacturer", "supplier"}},
    {Field::kCategory, {"类型", "type", "section", "group"}, {"分类", "类别", "category"}},
    {Field::kDate, {"日期", "date"}, {"日期", "报价时间", "date", "quoted"}},
    {Field::kCurrency, {"币种", "货币", "currency", "ccy"}, {"币种", "currency"}},
    {Field::kItem,
     {"项目", "组件", "部件", "设备", "产品", "物料", "item", "items", "component", "product", "name", "device",
      "equipment", "hardware", "line item"},
     {"名称", "项目", "成本项", "产品名", "物料", "组件", "部件", "item", "component", "product", "name"}},
    {Field::kNotes,
     {"用途", "说明", "description", "details"},
     {"备注", "补充", "说明", "服务内容", "用途", "remark", "note", "comment", "description"}}};

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// Latin words stand alone: "rate" is no part of "separate".
bool contains_word(const std::string& text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const bool starts = !is_letter(word.front()) || at == 0 || !is_letter(text[at - 1]);
    const std::size_t end = at + word.size();
    const bool plural = end < text.size() && text[end] == 's' && (end + 1 == text.size() || !is_letter(text[end + 1]));
    const bool ends = !is_letter(word.back()) || end == text.size() || !is_letter(text[end]) || plural;
    if (starts && ends) return true;
  }
  return false;
}

// Without its unit: 单价(万元) and "Power [W]".
std::string bare(std::string_view header) {
  std::string text = lower(header);
  const std::size_t bracket = text.find_first_of("([");
  if (bracket != std::string::npos && bracket > 0) text.erase(bracket);
  while (!text.empty() && (text.back() == ' ' || text.back() == ':' || text.back() == '*')) text.pop_back();
  return text;
}

bool is_exact(std::string_view header, Field field) {
  for (const Names& names : kNames) {
    if (names.field == field && std::find(names.exact.begin(), names.exact.end(), bare(header)) != names.exact.end())
      return true;
  }
  return false;
}

std::optional<Field> field_given(const CsvCell& cell, const ReadOptions& options) {
  for (const auto& [field, header] : options.columns) {
    if (lower(cell.text) == lower(header)) return field;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Field> field_of(std::string_view header) {
  const std::string text = bare(header);
  if (text.empty()) return std::nullopt;
  for (const Names& names : kNames) {
    if (std::find(names.exact.begin(), names.exact.end(), text) != names.exact.end()) return names.field;
  }
  for (const Names& names : kNames) {
    for (const std::string_view word : names.contains) {
      if (contains_word(text, word)) return names.field;
    }
  }
  return std::nullopt;
}

bool is_known_to_be_unused(std::string_view header) {
  static constexpr std::string_view kExact[] = {"序号",  "编号", "no",  "no.",  "#",   "id",
                                                "index", "line", "pos", "pos.", "行号"};
  static constexpr std::string_view kParts[] = {"交期",     "质保", "保修",   "年限", "lead time", "warranty",
                                                "discount", "折扣", "weight", "重量", "year"};
  const std::string text = bare(header);
  return std::find(std::begin(kExact), std::end(kExact), text) != std::end(kExact) ||
         std::any_of(std::begin(kParts), std::end(kParts),
                     [&](std::string_view word) { return contains_word(text, word); });
}

std::vector<std::optional<Field>> fields_of(const CsvRow& row, const ReadOptions& options) {
  std::vector<std::optional<Field>> fields;
  std::map<Field, std::size_t> taken;
  std::map<Field, bool> given;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto named = field_given(row[i], options);
    const std::optional<Field> field = named ? named : field_of(row[i].text);
    fields.push_back(std::nullopt);
    if (!field) continue;
    const auto before = taken.find(*field);
    const bool better =
        before == taken.end() || named ||
        (!given[*field] && is_exact(row[i].text, *field) && !is_exact(row[before->second].text, *field));
    if (!better) continue;
    if (before != taken.end()) fields[before->second].reset();
    taken[*field] = i;
    given[*field] = named.has_value();
    fields[i] = field;
  }
  // A description names the thing where nothing else does.
  const auto has = [&](Field field) { return taken.contains(field); };
  if (!has(Field::kItem) && !has(Field::kModel) && !has(Field::kSpec) && has(Field::kNotes))
    fields[taken[Field::kNotes]] = Field::kItem;
  return fields;
}

bool is_header(const std::vector<std::optional<Field>>& fields) {
  const auto has = [&](std::initializer_list<Field> any) {
    return std::any_of(fields.begin(), fields.end(), [&](const std::optional<Field>& field) {
      return field && std::find(any.begin(), any.end(), *field) != any.end();
    });
  };
  return has({Field::kItem, Field::kModel, Field::kSpec, Field::kCategory}) &&
         has({Field::kQuantity, Field::kPrice, Field::kTotal});
}

}  // namespace fathom::bill
