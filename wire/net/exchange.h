// The handler's end of one request.
#pragma once

#include <memory>

#include "wire/net/server_connection.h"

namespace kiln::net {

std::shared_ptr<Exchange> MakeExchange(Request request, std::shared_ptr<Answer> answer,
                                       std::weak_ptr<ServerConnection> connection,
                                       std::shared_ptr<BodySink> sink);

}  // namespace kiln::net
