// The script language: one command a line, on the world and on what the engine has beside it.
#pragma once

#include <string>

#include "engine.h"

namespace patchcord {

// Any thread. The answer is "ok", "ok <figures>" or "error <what and why>". Comments and empty
// lines are "ok". The commands are listed in test/windows/mmdevapi-control.mjs.
std::string run_command(Engine& engine, const std::string& line);

// Commands of a file. The first error with its line, or nothing.
std::string run_script(Engine& engine, const std::wstring& path);

}  // namespace patchcord
