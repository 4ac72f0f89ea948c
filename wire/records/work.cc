#include "wire/records/work.h"

namespace kiln::wire {

v1::Table ToProto(const Table& table) {
  v1::Table proto;
  proto.set_uri(table.uri);
  proto.mutable_columns()->Assign(table.columns.begin(), table.columns.end());
  proto.set_target(table.target);
  proto.set_key(table.key);
  return proto;
}

Table FromProto(const v1::Table& proto) {
  return {.uri = proto.uri(),
          .columns = {proto.columns().begin(), proto.columns().end()},
          .target = proto.target(),
          .key = proto.key()};
}

v1::Train ToProto(const TrainWork& work) {
  v1::Train proto;
  // The message counts from 1: 0 is an algorithm not given.
  proto.set_algorithm(static_cast<v1::Algorithm>(static_cast<int>(work.algorithm) + 1));
  *proto.mutable_data() = ToProto(work.data);
  proto.set_model(work.model);
  proto.set_seed(work.seed);
  proto.set_test_fraction(work.test_fraction);
  proto.set_trees(work.trees);
  proto.set_depth_max(work.depth_max);
  proto.set_leaf_rows_min(work.leaf_rows_min);
  proto.set_features_per_split(work.features_per_split);
  proto.set_learning_rate(work.learning_rate);
  proto.set_epochs(work.epochs);
  proto.set_l2(work.l2);
  return proto;
}

TrainWork FromProto(const v1::Train& proto) {
  return {.algorithm = static_cast<Algorithm>(std::max(0, static_cast<int>(proto.algorithm()) - 1)),
          .data = FromProto(proto.data()),
          .model = proto.model(),
          .seed = proto.seed(),
          .test_fraction = proto.test_fraction(),
          .trees = proto.trees(),
          .depth_max = proto.depth_max(),
          .leaf_rows_min = proto.leaf_rows_min(),
          .features_per_split = proto.features_per_split(),
          .learning_rate = proto.learning_rate(),
          .epochs = proto.epochs(),
          .l2 = proto.l2()};
}

v1::Merge ToProto(const MergeWork& work) {
  v1::Merge proto;
  *proto.mutable_train() = ToProto(work.train);
  proto.set_parts(work.parts);
  return proto;
}

MergeWork FromProto(const v1::Merge& proto) {
  return {.train = FromProto(proto.train()), .parts = proto.parts()};
}

v1::Search ToProto(const SearchWork& work) {
  v1::Search proto;
  *proto.mutable_data() = ToProto(work.data);
  proto.mutable_query()->Assign(work.query.begin(), work.query.end());
  proto.set_top(work.top);
  proto.set_metric(static_cast<v1::Search::Metric>(work.metric));
  proto.set_aggregate(static_cast<v1::Search::Aggregate>(work.aggregate));
  proto.set_rows_per_key(work.rows_per_key);
  proto.set_output(work.output);
  return proto;
}

SearchWork FromProto(const v1::Search& proto) {
  return {.data = FromProto(proto.data()),
          .query = {proto.query().begin(), proto.query().end()},
          .top = proto.top(),
          .metric = static_cast<SearchMetric>(proto.metric()),
          .aggregate = static_cast<SearchAggregate>(proto.aggregate()),
          .rows_per_key = proto.rows_per_key(),
          .output = proto.output()};
}

v1::Command ToProto(const CommandWork& work) {
  v1::Command proto;
  proto.set_shell(!work.shell.empty());
  proto.set_value(work.shell.empty() && !work.argv.empty() ? work.argv.front() : work.shell);
  proto.mutable_arguments()->Assign(work.argv.begin(), work.argv.end());
  proto.mutable_environment()->insert(work.environment.begin(), work.environment.end());
  for (const Uri& uri : work.uris) {
    v1::Uri& one = *proto.add_uris();
    one.set_value(uri.value);
    one.set_executable(uri.executable);
    one.set_extract(uri.extract);
    one.set_output_file(uri.output_file);
  }
  return proto;
}

CommandWork FromProto(const v1::Command& proto) {
  CommandWork work;
  if (proto.shell()) work.shell = proto.value();
  work.argv = {proto.arguments().begin(), proto.arguments().end()};
  work.environment = {proto.environment().begin(), proto.environment().end()};
  for (const v1::Uri& uri : proto.uris()) {
    work.uris.push_back({uri.value(), uri.executable(), uri.extract(), uri.output_file()});
  }
  return work;
}

}  // namespace kiln::wire
