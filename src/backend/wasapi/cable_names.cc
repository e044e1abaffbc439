#include "cable_names.h"

namespace patchcord {
namespace {

// What stands before the parenthesis of "CABLE Input (VB-Audio Virtual Cable)".
struct CableEnds {
  const char* output;
  const char* input;
};

const CableEnds kCables[] = {
    {"CABLE Input", "CABLE Output"},
    {"CABLE In 16 Ch", "CABLE Output"},
    {"CABLE-A Input", "CABLE-A Output"},
    {"CABLE-B Input", "CABLE-B Output"},
    {"CABLE-C Input", "CABLE-C Output"},
    {"CABLE-D Input", "CABLE-D Output"},
    {"Hi-Fi Cable Input", "Hi-Fi Cable Output"},
};

// An end whose maker stands in the parenthesis: "Line 1 (Virtual Audio Cable)", "Speakers (Scream
// (WDM))", "VoiceMeeter Aux Input (VB-Audio VoiceMeeter AUX VAIO)".
const char* const kMakers[] = {
    "Virtual Audio Cable",
    "Scream (WDM)",
    "VB-Audio VoiceMeeter",
};

// Fixed ends of "Line N (Virtual Audio Cable)": both are called the same.
const char kSameNameMaker[] = "Virtual Audio Cable";

char folded(char c) {
  // Where a name cannot hold a space people write an underscore.
  if (c == '_') return ' ';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string fold(const std::string& text) {
  std::string result = text;
  for (char& c : result) c = folded(c);
  return result;
}

struct NameParts {
  std::string end;    // "cable input"
  std::string maker;  // "vb-audio virtual cable"; empty: no parenthesis
};

NameParts split(const std::string& name) {
  NameParts parts;
  const std::string text = fold(name);
  const size_t open = text.find(" (");
  parts.end = text.substr(0, open);
  if (open != std::string::npos && text.back() == ')') {
    parts.maker = text.substr(open + 2, text.size() - open - 3);
  }
  return parts;
}

bool starts_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

}  // namespace

bool is_cable_name(const std::string& name, Flow flow) {
  const NameParts parts = split(name);
  for (const CableEnds& cable : kCables) {
    if (parts.end == fold(flow == Flow::kOutput ? cable.output : cable.input)) return true;
  }
  for (const char* maker : kMakers) {
    if (starts_with(parts.maker, fold(maker))) return true;
  }
  return false;
}

bool are_cable_ends(const std::string& output, const std::string& input) {
  const NameParts out = split(output);
  const NameParts in = split(input);
  if (out.maker != in.maker) return false;
  if (out.maker == fold(kSameNameMaker)) return out.end == in.end;
  for (const CableEnds& cable : kCables) {
    if (out.end == fold(cable.output) && in.end == fold(cable.input)) return true;
  }
  return false;
}

}  // namespace patchcord
