// Compares an HTTP answer with a recorded one. Pure.
#pragma once

#include <optional>

#include "tests/mesos/answer_parser.h"
#include "tests/mesos/matcher.h"
#include "tests/mesos/messages.h"

namespace kiln::replay {

std::optional<Difference> MatchAnswer(const Exchange& recorded, const RawAnswer& found,
                                      Bindings& bindings);

// One record of a stream, whose encoding is the Content-Type of the answer that opened it.
Result<Json> DecodeRecord(Api api, const std::string& content_type, const std::string& bytes);

}  // namespace kiln::replay
