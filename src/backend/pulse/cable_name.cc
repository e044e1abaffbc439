#include "cable_name.h"

#include <cstdio>

namespace patchcord {
namespace pulse {
namespace {

// A server's names have 128 characters at most.
constexpr size_t kLongestId = 60;

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// A name that the server can show. Versions differ in how they read the result of quoted(); for
// those, the characters concerned become their typographic forms.
std::string presentable(std::string text, bool quoting_varies) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (!quoting_varies) return text;
  text = replace_all(text, "\\", "\xE2\x88\x96");
  text = replace_all(text, "'", "\xE2\x80\x99");
  return replace_all(text, "\"", "\xE2\x80\x9D");
}

// `text` for use between the inner quotes of ="key='...'". PulseAudio unescapes the argument and
// the properties in it in one pass.
std::string quoted(std::string text) {
  text = replace_all(text, "\\", "\\\\");
  text = replace_all(text, "'", "\\'");
  return replace_all(text, "\"", "\\\"");
}

// FNV-1a
uint32_t hash_of(const std::string& text) {
  uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

// The servers accept letters, digits, '-', '_' and '.' in names. The dot is reserved for suffixes
// added here, so that no name can equal another name with a suffix.
std::string id_of(const std::string& name) {
  std::string id = name.substr(0, kLongestId);
  for (char& c : id) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
    if (!kept) c = '_';
  }
  if (id == name) return id;
  char hash[10];
  snprintf(hash, sizeof hash, ".%08x", hash_of(name));
  return id + hash;
}

}  // namespace

CableName cable_name(const std::string& wanted, uint32_t copy, bool quoting_varies) {
  CableName name;
  name.shown = presentable(wanted, quoting_varies);
  name.sink = "patchcord." + id_of(wanted);
  if (copy > 1) {
    name.shown += " (" + std::to_string(copy) + ")";
    // PulseAudio's own suffix ("NAME.2") is avoided: a device that PulseAudio renames while two
    // processes settle a conflict would block the next name.
    name.sink += ".copy" + std::to_string(copy);
  }
  name.label = quoted(name.shown);
  name.microphone = name.sink + ".microphone";
  name.speaker = name.sink + ".speaker";
  return name;
}

}  // namespace pulse
}  // namespace patchcord
