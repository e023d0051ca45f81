// kubectl-compat/stream/negotiate_stream.h - choosing a subprotocol among those that a client offers.
// Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compat {

// Header values, each maybe a comma-separated list, as one list without blanks.
std::vector<std::string> split_offers(const std::vector<std::string>& values);
// The first offer that is spoken: the client's order counts, as upstream.
std::optional<std::string> first_spoken(const std::vector<std::string>& offers, std::span<const std::string_view> spoken);
// "unable to upgrade: unable to negotiate protocol: client supports [a b], server accepts [c]"
std::string cannot_negotiate(const std::vector<std::string>& offers, std::span<const std::string_view> spoken);

}  // namespace compat
