// Checks the rules of backend.h that can be seen from outside: who calls, when, in which order and
// with what. Debug builds of the addon and the native tests run every backend inside it.
#pragma once

#include <memory>

#include "backend.h"

namespace patchcord {

// `report` receives the rule that was broken. Any thread. The default prints it and aborts.
using ReportViolation = void (*)(const char* rule);
void abort_on_violation(const char* rule);

std::unique_ptr<Host> check_contract(std::unique_ptr<Host> host,
                                     ReportViolation report = abort_on_violation);

}  // namespace patchcord
