#include "known_cables.h"

#include <algorithm>

namespace patchcord {
namespace {

// A driver that makes cables. Lists end with nullptr; everything is in lower case, as fold() has
// it.
struct KnownDriver {
  const char* driver;
  const char* product;
  const char* hardware_ids[3];
  const char* services[3];
  const char* makers[3];  // prefixes, because versions are appended to them
  // Prefixes of the ends' own names, used if the maker is unknown. If both are nullptr, names are
  // not evidence, because users choose them.
  const char* output;
  const char* input;
};

// If several match, the first counts: "VB-Audio Cable A" comes before its prefix.
const KnownDriver kDrivers[] = {
    {"vb-cable",
     "VB-CABLE A",
     {"vbaudiovacawdm"},
     {"vbaudiovacamme"},
     {"vb-audio cable a"},
     "cable-a input",
     "cable-a output"},
    {"vb-cable",
     "VB-CABLE B",
     {"vbaudiovacbwdm"},
     {"vbaudiovacbmme"},
     {"vb-audio cable b"},
     "cable-b input",
     "cable-b output"},
    {"vb-cable",
     "VB-CABLE C",
     {"vbaudiovaccwdm"},
     {"vbaudiovaccmme"},
     {"vb-audio cable c"},
     "cable-c input",
     "cable-c output"},
    {"vb-cable",
     "VB-CABLE D",
     {"vbaudiovacdwdm"},
     {"vbaudiovacdmme"},
     {"vb-audio cable d"},
     "cable-d input",
     "cable-d output"},
    {"vb-cable",
     "VB Hi-Fi Cable",
     {"vbaudiohfvaio"},
     {"vbaudiohfvaiomme"},
     {"vb-audio hi-fi cable"},
     "hi-fi cable input",
     "hi-fi cable output"},
    {"vb-cable",
     "VB-CABLE",
     {"vbaudiovacwdm"},
     {"vbaudiovacmme"},
     {"vb-audio virtual cable"},
     "cable in",
     "cable out"},
    {"voicemeeter",
     "VoiceMeeter AUX",
     {"vbaudiovmauxvaio"},
     {"vbaudiovmauxvaiomme"},
     {"vb-audio voicemeeter aux"},
     "voicemeeter aux in",
     "voicemeeter aux out"},
    {"voicemeeter",
     "VoiceMeeter VAIO3",
     {"vbaudiovmvaio3"},
     {"vbaudiovmvaio3mme"},
     {"vb-audio voicemeeter vaio3"},
     "voicemeeter vaio3 in",
     "voicemeeter vaio3 out"},
    {"voicemeeter",
     "VoiceMeeter",
     {"vbaudiovmvaio"},
     {"vbaudiovmvaiomme"},
     {"vb-audio voicemeeter"},
     "voicemeeter in",
     "voicemeeter out"},
    {"virtual-audio-cable",
     "Virtual Audio Cable",
     {},
     {"eumusdesignvirtualaudiocablewdm"},
     {"virtual audio cable"},
     nullptr,
     nullptr},
    {"scream", "Scream", {"*scream"}, {"scream"}, {"scream (wdm)"}, nullptr, nullptr},
    {"alsa-loopback", "ALSA loopback card", {}, {"snd aloop"}, {}, nullptr, nullptr},
    {"blackhole", "BlackHole", {}, {}, {}, "blackhole", "blackhole"},
    {"loopback", "Loopback", {}, {}, {}, "loopback audio", "loopback audio"},
};

// Some names replace a space by an underscore.
char folded(char c) {
  if (c == '_') return ' ';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string fold(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), folded);
  return text;
}

bool starts_with(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Windows puts a number before the name of a device that was installed before: "2- VB-Audio Virtual
// Cable".
std::string without_number(const std::string& maker) {
  size_t at = 0;
  while (at < maker.size() && is_digit(maker[at])) ++at;
  if (at == 0 || maker.compare(at, 2, "- ") != 0) return maker;
  return maker.substr(at + 2);
}

// "CABLE Input (VB-Audio Virtual Cable)": the end's own name, and its maker.
struct NameParts {
  std::string end;
  std::string maker;
};

NameParts split(const DeviceInfo& device) {
  NameParts parts;
  const std::string text = fold(device.name);
  const size_t open = text.find(" (");
  parts.end = text.substr(0, open);
  if (open != std::string::npos && text.back() == ')') {
    parts.maker = text.substr(open + 2, text.size() - open - 3);
  }
  // If the system has no name for the driver, it may report the device's own.
  const std::string maker = fold(device.origin.maker);
  if (!maker.empty() && maker != text) parts.maker = maker;
  parts.maker = without_number(parts.maker);
  return parts;
}

bool lists(const char* const (&list)[3], const std::string& text) {
  for (const char* each : list) {
    if (each != nullptr && text == each) return true;
  }
  return false;
}

// Only the last part of "ROOT\\VBAudioVACWDM" names the driver.
std::string hardware_name(const std::string& id) {
  const size_t slash = id.rfind('\\');
  return fold(slash == std::string::npos ? id : id.substr(slash + 1));
}

Evidence evidence_for(const KnownDriver& known, const DeviceInfo& device, const NameParts& name) {
  for (const std::string& id : device.origin.hardware_ids) {
    if (lists(known.hardware_ids, hardware_name(id))) return Evidence::kHardwareId;
  }
  if (lists(known.services, fold(device.origin.service))) return Evidence::kService;
  for (const char* maker : known.makers) {
    if (maker != nullptr && starts_with(name.maker, maker)) return Evidence::kMaker;
  }
  // Names prove nothing if the system says that another driver is behind the device.
  if (!device.origin.hardware_ids.empty() || !device.origin.service.empty()) return Evidence::kNone;
  const char* end = device.flow == Flow::kOutput ? known.output : known.input;
  return end != nullptr && starts_with(name.end, end) ? Evidence::kName : Evidence::kNone;
}

// "Voicemeeter Out B2" is bus B2; before its version 3.1.1 each output carried the bus of its
// driver.
std::string bus_of(const DeviceInfo& input, const std::string& product) {
  const std::string end = split(input).end;
  const size_t out = end.find(" out ");
  if (out != std::string::npos && end.size() == out + 7) {
    const char letter = end[out + 5];
    const char number = end[out + 6];
    if ((letter == 'a' || letter == 'b') && is_digit(number)) {
      return {static_cast<char>(letter - 'a' + 'A'), number};
    }
  }
  if (product == "VoiceMeeter AUX" || starts_with(end, "voicemeeter aux")) return "B2";
  if (product == "VoiceMeeter VAIO3" || starts_with(end, "voicemeeter vaio3")) return "B3";
  return starts_with(end, "voicemeeter output") || !input.origin.hardware_ids.empty() ? "B1" : "";
}

// The mixer's strip that an output plays to, counted among its virtual ones.
std::string strip_of(const DeviceInfo& output, const std::string& product) {
  const std::string end = split(output).end;
  if (product == "VoiceMeeter AUX" || starts_with(end, "voicemeeter aux")) return "Virtual 2";
  if (product == "VoiceMeeter VAIO3" || starts_with(end, "voicemeeter vaio3")) return "Virtual 3";
  // "Voicemeeter In 3" is the third of the strips into which a microphone would be plugged.
  if (starts_with(end, "voicemeeter in ") && end.size() == 16 && is_digit(end[15])) {
    return std::string("Hardware ") + end[15];
  }
  return "Virtual 1";
}

void recognise(DeviceInfo* device) {
  const NameParts name = split(*device);
  const KnownDriver* best = nullptr;
  for (const KnownDriver& known : kDrivers) {
    const Evidence evidence = evidence_for(known, *device, name);
    if (evidence == Evidence::kNone) continue;
    if (best != nullptr && evidence >= device->cable.recognised_by) continue;
    best = &known;
    device->cable.recognised_by = evidence;
  }
  if (best == nullptr) return;
  device->is_virtual = true;
  device->cable.driver = best->driver;
  device->cable.product = best->product;
  if (device->cable.driver != "voicemeeter") return;
  device->cable.bus = device->flow == Flow::kInput ? bus_of(*device, best->product)
                                                   : strip_of(*device, best->product);
}

// The part of both names that distinguishes the ends of one device from each other: the number of
// the line, or of channels.
std::string mark_of(const DeviceInfo& device) {
  const std::string end = split(device).end;
  if (end.find(" 16") != std::string::npos) return "16";
  return device.cable.driver == "vb-cable" ? "" : end;
}

using Candidates = std::vector<DeviceInfo*>;

template <class Fits>
Candidates narrowed(const Candidates& all, Fits fits) {
  Candidates some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some), fits);
  return some;
}

// The inputs that may carry the sound of `output`, and the evidence for that.
Candidates candidates_for(const DeviceInfo& output, std::vector<DeviceInfo>* devices,
                          Evidence* evidence) {
  Candidates all;
  for (DeviceInfo& input : *devices) {
    if (input.flow == Flow::kInput && input.state == DeviceState::kActive &&
        input.cable.driver == output.cable.driver && input.cable.paired_by != Evidence::kServer) {
      all.push_back(&input);
    }
  }
  // The sound of a mixer's strip is on whichever bus it is switched to, of whichever of its
  // drivers.
  if (output.cable.driver == "voicemeeter") {
    *evidence = output.cable.recognised_by;
    return narrowed(all, [](const DeviceInfo* input) { return input->cable.bus[0] != 'A'; });
  }
  // If only the name shows that a device is a cable, other properties mean nothing: Wine gives each
  // endpoint its own parent.
  const bool by_name = output.cable.recognised_by == Evidence::kName;
  const std::string& parent = output.origin.parent;
  if (!parent.empty() && !by_name) {
    *evidence = Evidence::kParent;
    return narrowed(all, [&](const DeviceInfo* in) { return in->origin.parent == parent; });
  }
  *evidence = Evidence::kName;
  const std::string maker = split(output).maker;
  return narrowed(all, [&](const DeviceInfo* input) {
    return input->cable.recognised_by == output.cable.recognised_by &&
           input->cable.product == output.cable.product &&
           (by_name || (input->origin.parent.empty() && split(*input).maker == maker));
  });
}

// The one candidate that is meant, or all that remain possible.
Candidates chosen(const DeviceInfo& output, const Candidates& all, Evidence* evidence) {
  // The other device of the card carries the sound that this device plays.
  if (output.cable.driver == "alsa-loopback") {
    return narrowed(all, [&](const DeviceInfo* in) { return in->origin.end != output.origin.end; });
  }
  if (output.cable.driver == "voicemeeter") {
    const Candidates first =
        narrowed(all, [](const DeviceInfo* input) { return input->cable.bus == "B1"; });
    return first.size() == 1 ? first : all;
  }
  if (all.size() < 2) {
    // Both ends of a line have its name, so an end with another name is not its peer. Without a
    // parent the name is the only evidence.
    if (*evidence == Evidence::kParent || output.cable.driver == "vb-cable") return all;
  }
  const std::string mark = mark_of(output);
  const Candidates marked =
      narrowed(all, [&](const DeviceInfo* input) { return mark_of(*input) == mark; });
  if (marked.size() == 1) {
    if (all.size() > 1) *evidence = Evidence::kName;
    return marked;
  }
  return *evidence == Evidence::kParent ? all : marked;
}

void pair(DeviceInfo* output, std::vector<DeviceInfo>* devices) {
  Evidence evidence = Evidence::kNone;
  const Candidates all = candidates_for(*output, devices, &evidence);
  const Candidates found = chosen(*output, all, &evidence);
  if (found.size() == 1) {
    output->peer_id = found[0]->id;
    output->cable.paired_by = evidence;
    if (found[0]->peer_id.empty()) {
      found[0]->peer_id = output->id;
      found[0]->cable.paired_by = evidence;
    }
  }
  // The other buses of a mixer stay possible: the mixer's settings decide.
  if (found.size() == 1 && output->cable.driver != "voicemeeter") return;
  const Candidates& possible = found.size() == 1 ? all : found;
  for (const DeviceInfo* input : possible) output->cable.possible_peers.push_back(input->id);
}

}  // namespace

void recognise_cables(std::vector<DeviceInfo>* devices, const char* own) {
  for (DeviceInfo& device : *devices) {
    if (!device.peer_id.empty()) device.cable.paired_by = Evidence::kServer;
    recognise(&device);
    if (device.peer_id.empty() || !device.is_virtual || !device.cable.driver.empty()) continue;
    device.cable.driver = device.cable.product = own;
    device.cable.recognised_by = Evidence::kServer;
  }
  for (DeviceInfo& device : *devices) {
    if (device.flow == Flow::kOutput && device.state == DeviceState::kActive &&
        device.peer_id.empty() && !device.cable.driver.empty()) {
      pair(&device, devices);
    }
  }
}

}  // namespace patchcord
