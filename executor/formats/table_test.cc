#include "executor/formats/table.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "executor/formats/csv_records.h"
#include "executor/formats/writers.h"

namespace kiln::executor {

void PrintTo(const Table& table, std::ostream* out) {
  *out << table.Rows() << " rows, values " << testing::PrintToString(table.values) << ", labels "
       << testing::PrintToString(table.labels) << ", numbers "
       << testing::PrintToString(table.numbers) << ", keys " << testing::PrintToString(table.keys)
       << ", row numbers " << testing::PrintToString(table.row_numbers);
}

namespace {

class TableTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "kiln-table-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    std::filesystem::current_path(name);
    folder_ = name;
  }
  void TearDown() override {
    std::filesystem::current_path("/");
    std::filesystem::remove_all(folder_);
  }

  static void Put(const std::string& name, std::string_view text) {
    std::ofstream(name, std::ios::binary) << text;
  }
  static void PutGzip(const std::string& name, std::string_view text) {
    gzFile file = gzopen(name.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
  }
  static std::string ErrorOf(const std::string& name, const TableSpec& spec = {}) {
    const auto table = ReadTable(name, spec);
    return table ? "no error" : table.error().message;
  }

  std::string folder_;
};

// All parts one behind the other, each read in pieces of three rows.
Table ReadParts(const std::string& name, const TableSpec& spec, int count) {
  Table whole;
  for (int i = 0; i < count; ++i) {
    auto reader = TableReader::Open(name, spec, {i, count});
    if (!reader) throw std::runtime_error(reader.error().message);
    whole.columns = reader->columns();
    while (true) {
      const Table piece = reader->Read(3).value();
      if (piece.Rows() == 0) break;
      const auto append = [](auto& to, const auto& from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      append(whole.values, piece.values);
      append(whole.labels, piece.labels);
      append(whole.numbers, piece.numbers);
      append(whole.keys, piece.keys);
      append(whole.row_numbers, piece.row_numbers);
    }
  }
  return whole;
}

TEST_F(TableTest, ReadsFeaturesTargetAndKeyInTheWantedOrder) {
  Put("t.csv", "a,b,kind,id\r\n1,-2.5,\"x, y\",k1\r\n\r\n 3 ,+4e2,\"say \"\"hi\"\"\",k2");
  EXPECT_EQ(
      ReadTable("t.csv", {.target = "kind", .key = "id"}).value(),
      (Table{{"a", "b"}, {1, -2.5, 3, 400}, {"x, y", "say \"hi\""}, {}, {"k1", "k2"}, {0, 1}}));
  EXPECT_EQ(ReadTable("t.csv", {.columns = {"b", "a"}}).value(),
            (Table{{"b", "a"}, {-2.5, 1, 400, 3}, {}, {}, {}, {0, 1}}));
  EXPECT_EQ(
      ReadTable("t.csv", {.columns = {"b"}, .target = "a", .target_kind = TargetKind::kNumbers})
          .value(),
      (Table{{"b"}, {-2.5, 400}, {}, {1, 3}, {}, {0, 1}}));
}

TEST_F(TableTest, AFirstLineOfNumbersIsData) {
  Put("plain.csv", "5,6\n7,8\n");
  EXPECT_EQ(ReadTable("plain.csv", {.target = "1"}).value(),
            (Table{{"0"}, {5, 7}, {"6", "8"}, {}, {}, {0, 1}}));
  Put("numbered.csv", "0,1,2\n7,8,9\n");
  EXPECT_EQ(ReadTable("numbered.csv", {}).value(),
            (Table{{"0", "1", "2"}, {7, 8, 9}, {}, {}, {}, {0}}));
}

TEST_F(TableTest, QuotedLineEndsAndTheByteOrderMarkAreUnderstood) {
  Put("t.csv", "\xEF\xBB\xBF\"a\nb\",\"c\"\n\"1\",\"2\"\n3,\"\"\n");
  EXPECT_EQ(ErrorOf("t.csv"), "t.csv line 4: column c is empty, expected a number");
  EXPECT_EQ(ReadTable("t.csv", {.columns = {"a\nb"}}).value(),
            (Table{{"a\nb"}, {1, 3}, {}, {}, {}, {0, 1}}));
}

TEST_F(TableTest, BadInputNamesThingFoundAndExpected) {
  const struct {
    std::string text;
    TableSpec spec;
    std::string message;
  } cases[] = {
      {"", {}, "t.csv is empty, expected a table"},
      {"\n\n", {}, "t.csv is empty, expected a header line"},
      {"pixel_3,b\n1,2\n,2\n", {}, "t.csv line 3: column pixel_3 is empty, expected a number"},
      {"a,b\n1,x7\n", {}, "t.csv line 2: column b is \"x7\", expected a number"},
      {"a,b\n1,2 3\n", {}, "t.csv line 2: column b is \"2 3\", expected a number"},
      {"a,b\n1,1e39\n", {}, "t.csv line 2: column b is 1e39, expected a number of at most 3.4e+38"},
      {"a,b\n1,nan\n", {}, "t.csv line 2: column b is nan, expected a finite number"},
      {"a,b\n1,-inf\n", {}, "t.csv line 2: column b is -inf, expected a finite number"},
      {"a,b\n1\n", {}, "t.csv line 2: 1 cells, expected 2"},
      {"a,b\n1,2,3\n", {}, "t.csv line 2: 3 cells, expected 2"},
      {"a,b\n1,\"2\n", {}, "t.csv line 2: the quote of cell 2 is not closed, expected a \""},
      {"a,b\n\"1\"x,2\n",
       {},
       "t.csv line 2: text follows the closing quote of cell 1, expected a comma"},
      {"a,a\n", {}, "t.csv line 1: column a stands twice, expected each name once"},
      {"a,,c\n", {}, "t.csv line 1: column 2 has no name, expected one"},
      {"a,digit\n1,2\n",
       {.target = "digits"},
       "t.csv line 1: there is no column digits, the nearest is digit"},
      {"a,b\n1,2\n",
       {.columns = {"price"}},
       "t.csv line 1: there is no column price, expected one of a, b"},
      {"a,d\n1,\n", {.target = "d"}, "t.csv line 2: column d is empty, expected a label"},
      {"a,d\n1,\n",
       {.target = "d", .target_kind = TargetKind::kNumbers},
       "t.csv line 2: column d is empty, expected a number"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    Put("t.csv", c.text);
    EXPECT_EQ(ErrorOf("t.csv", c.spec), c.message);
  }
  EXPECT_EQ(ErrorOf("none.csv"), "cannot read none.csv: No such file or directory");
  EXPECT_EQ(ReadTable("none.csv", {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ErrorOf("/"), "cannot read /: Is a directory");
}

TEST_F(TableTest, HolesMayBeNan) {
  Put("t.csv", "a,b\n,inf\n1e-60,1\n");
  const Table table = ReadTable("t.csv", {.holes = HoleKind::kNan}).value();
  ASSERT_EQ(table.values.size(), 4u);
  EXPECT_TRUE(std::isnan(table.values[0]));
  EXPECT_EQ(table.values[1], std::numeric_limits<float>::infinity());
  EXPECT_EQ(table.values[2], 0);
}

TEST_F(TableTest, ALineMayHave16MiBAndNoMore) {
  const std::string cell = "\"" + std::string(kCsvRecordBytesMax - 5, 'x') + "\"";
  Put("t.csv", "a,b\n" + cell + ",1\n");
  EXPECT_EQ(ReadTable("t.csv", {.columns = {"b"}}).value().values, std::vector<float>{1});
  Put("t.csv", "a,b\n1,1\n" + cell + ",12\n");
  EXPECT_EQ(ErrorOf("t.csv"), "t.csv line 3 is too long, expected at most 16777216 bytes");
}

TEST_F(TableTest, PartsGiveEachRowOnceInOrder) {
  std::string text = "a,name\n";
  for (int i = 0; i < 101; ++i) {
    text += std::to_string(i) + ",\"n" + std::string(static_cast<size_t>(i % 7), '\n') + "\"\n";
    if (i % 10 == 0) text += "\n";
  }
  Put("t.csv", text);
  PutGzip("t.csv.gz", text);
  const TableSpec spec = {.columns = {"a"}, .target = "name"};
  const Table whole = ReadTable("t.csv", spec).value();
  ASSERT_EQ(whole.Rows(), 101u);
  EXPECT_EQ(whole.row_numbers.back(), 100);
  for (const int count : {1, 2, 3, 8, 500}) {
    SCOPED_TRACE(count);
    EXPECT_EQ(ReadParts("t.csv", spec, count), whole);
    EXPECT_EQ(ReadParts("t.csv.gz", spec, count), whole);
  }
}

TEST_F(TableTest, RowsOfOneKeyAreInOnePart) {
  std::string text = "a,key\n";
  for (int i = 0; i < 300; ++i) {
    text += std::to_string(i) + ",k" + std::to_string(i % 20) + "\n";
  }
  Put("t.csv", text);
  std::set<std::string> seen;
  size_t rows = 0;
  for (int i = 0; i < 4; ++i) {
    const Table part = ReadTable("t.csv", {.key = "key"}, {i, 4}).value();
    const std::set<std::string> keys(part.keys.begin(), part.keys.end());
    EXPECT_EQ(part.Rows(), keys.size() * 15);
    for (const std::string& key : keys) EXPECT_TRUE(seen.insert(key).second);
    rows += part.Rows();
  }
  EXPECT_EQ(rows, 300u);
}

TEST_F(TableTest, DamagedGzipIsRefused) {
  std::string text = "a\n";
  for (int i = 0; i < 10000; ++i) text += std::to_string(i * 7919) + "\n";
  PutGzip("t.csv.gz", text);
  std::filesystem::resize_file("t.csv.gz", std::filesystem::file_size("t.csv.gz") / 2);
  EXPECT_EQ(ErrorOf("t.csv.gz"), "t.csv.gz is cut off, expected a whole gzip file");
  PutGzip("t.csv.gz", text);
  std::fstream file("t.csv.gz", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(1000);
  file.write("\0\0\0\0\0\0\0\0", 8);
  file.close();
  EXPECT_EQ(ErrorOf("t.csv.gz"), "t.csv.gz is damaged, expected a gzip file");
}

std::string Npy(const std::string& descr, const std::string& shape, std::string_view data,
                const std::string& order = "False") {
  const std::string head =
      "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\x02\x00", 8) + static_cast<char>(head.size()) +
         std::string(3, '\0') + head + std::string(data);
}

template <typename T>
std::string Bytes(std::vector<T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST_F(TableTest, NpyOfEachTypeGivesTheSameTable) {
  const Table want = {{"0"}, {1, 3, 5}, {"2", "4", "6"}, {}, {}, {0, 1, 2}};
  const std::string files[] = {
      Npy("<f4", "(3, 2)", Bytes<float>({1, 2, 3, 4, 5, 6})),
      Npy("<f8", "(3, 2)", Bytes<double>({1, 2, 3, 4, 5, 6})),
      Npy("<i4", "(3, 2)", Bytes<int32_t>({1, 2, 3, 4, 5, 6})),
      Npy("<i8", "(3, 2)", Bytes<int64_t>({1, 2, 3, 4, 5, 6})),
      Npy("|u1", "(3, 2)", Bytes<uint8_t>({1, 2, 3, 4, 5, 6})),
  };
  for (const std::string& file : files) {
    Put("t.npy", file);
    EXPECT_EQ(ReadTable("t.npy", {.target = "1"}).value(), want);
    EXPECT_EQ(ReadParts("t.npy", {.target = "1"}, 2), want);
    PutGzip("t.npy.gz", file);
    EXPECT_EQ(ReadParts("t.npy.gz", {.target = "1"}, 3), want);
  }
}

TEST_F(TableTest, BadNpyNamesThingFoundAndExpected) {
  const struct {
    std::string text;
    std::string message;
  } cases[] = {
      {Npy("<f4", "(3, 2)", Bytes<float>({1, 2, 3})), "t.npy ends after 1 rows, expected 3"},
      {Npy("<f4", "(1,)", Bytes<float>({NAN})),
       "t.npy row 0: column 0 is nan, expected a finite number"},
      {Npy("<f4", "(2, 2)", "", "True"), "t.npy is in Fortran order, expected C order"},
      {Npy("<c8", "(2, 2)", ""), "t.npy holds '<c8', expected one of <f4, <f8, <i4, <i8, |u1"},
      {Npy("<f4", "(2, 2, 2)", ""), "t.npy has the shape (2, 2, 2), expected one or two axes"},
      {Npy("<f4", "()", ""), "t.npy has the shape (), expected one or two axes"},
      {Npy("<f4", "(2, 0)", ""), "t.npy has 0 columns, expected 1 to 16777216"},
      {"\x93NUMPY\x09", "t.npy has a damaged head, expected npy version 1 to 3"},
  };
  for (const auto& c : cases) {
    Put("t.npy", c.text);
    EXPECT_EQ(ErrorOf("t.npy"), c.message);
  }
}

TEST_F(TableTest, WhatTheWritersWriteIsReadBack) {
  auto writer = CsvWriter::Create("out.csv", {"x", "a \"name\",\n"});
  ASSERT_TRUE(writer.has_value());
  ASSERT_TRUE(writer->Append({FloatText(0.1f), "p,q"}).has_value());
  EXPECT_FALSE(std::filesystem::exists("out.csv"));
  ASSERT_TRUE(writer->Publish().has_value());
  EXPECT_EQ(ReadTable("out.csv", {.target = "a \"name\",\n"}).value(),
            (Table{{"x"}, {0.1f}, {"p,q"}, {}, {}, {0}}));

  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  ASSERT_TRUE(WriteNpy("out.npy", values, 3).has_value());
  EXPECT_EQ(ReadTable("out.npy", {}).value(), (Table{{"0", "1", "2"}, values, {}, {}, {}, {0, 1}}));
}

}  // namespace
}  // namespace kiln::executor
