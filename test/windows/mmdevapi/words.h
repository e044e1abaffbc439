// Splits a command's line; "..." keeps spaces together.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "../../../src/backend/wasapi/windows_sdk.h"
#include "../../../src/core/time/clock.h"

namespace patchcord {

class Words {
 public:
  explicit Words(const std::string& line) {
    bool open = false;
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') {
        quoted = !quoted;
        if (!open) words_.emplace_back();
        open = true;
      } else if (!quoted && (c == ' ' || c == '\t' || c == '\r')) {
        open = false;
      } else {
        if (!quoted && !open && c == '#') break;
        if (!open) words_.emplace_back();
        open = true;
        words_.back() += c;
      }
    }
  }

  bool at_end() const { return next_ == words_.size(); }

  // The next word; what is missing or wrong is remembered, so that a command is checked once.
  std::string text(const char* what) {
    if (!at_end()) return words_[next_++];
    complain(std::string("no ") + what);
    return {};
  }
  double number(const char* what) {
    const std::string word = text(what);
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (!word.empty() && (*end != '\0' || !std::isfinite(value))) {
      complain(std::string(what) + " is no number: " + word);
    }
    return value;
  }
  uint32_t whole(const char* what) {
    const double value = number(what);
    if (value >= 0 && value <= UINT32_MAX && value == std::floor(value)) {
      return static_cast<uint32_t>(value);
    }
    complain(std::string(what) + " is no whole number");
    return 0;
  }
  int64_t milliseconds(const char* what) { return std::llround(number(what) * kNsPerMs); }
  HRESULT result() {
    const std::string word = text("HRESULT");
    char* end = nullptr;
    const unsigned long long value = std::strtoull(word.c_str(), &end, 16);
    if (!word.empty() && (*end != '\0' || value > UINT32_MAX)) {
      complain("no HRESULT in hexadecimal: " + word);
    }
    return static_cast<HRESULT>(value);
  }
  // One of `names`, as its index.
  size_t choice(const char* what, const std::vector<const char*>& names) {
    const std::string word = text(what);
    for (size_t i = 0; i < names.size(); ++i) {
      if (word == names[i]) return i;
    }
    if (!word.empty()) complain(std::string("no such ") + what + ": " + word);
    return 0;
  }
  // Whether the next word is this one; if so it is taken.
  bool take(const char* word) {
    if (at_end() || words_[next_] != word) return false;
    ++next_;
    return true;
  }

  void complain(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;
  }
  // After the last word has been asked for.
  const std::string& problem() {
    if (!at_end()) complain("too many words, from: " + words_[next_]);
    return problem_;
  }

 private:
  std::vector<std::string> words_;
  size_t next_ = 0;
  std::string problem_;
};

}  // namespace patchcord
