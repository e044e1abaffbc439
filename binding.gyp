# The one list of native sources and flags: node-gyp builds from it, and
# scripts/read-gyp.mjs reads it for cross-compilers. For that it stays JSON with comments on lines of
# their own, and sources are given as folders (scripts/sources.mjs lists what is in them), so that a
# file cannot be forgotten here and every reader sees the same list.
{
  "targets": [
    {
      "target_name": "patchcord",
      "sources": [
        "<!@(node scripts/sources.mjs src/core/signal src/core/time src/core/graph src/addon src/backend/simulated)",
        "src/backend/checked_host.cc",
        "src/backend/known_cables.cc",
        "src/backend/process_follower.cc",
        "src/backend/process_tree.cc",
        "src/backend/pushed_device.cc",
        "src/backend/registry.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        # Node-API 8: Node 20 and every Electron that has it, without a rebuild.
        "NAPI_VERSION=8",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        # In a worker that is being terminated no exception can be thrown: not a reason to abort.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      # Node's own default; it only adds size here.
      "cflags!": ["-O3"],
      "cflags": [
        "-Wall",
        "-Wextra",
        "-O2",
        # Several addons live in one process: nothing of ours may answer for a symbol of theirs.
        "-fvisibility=hidden"
      ],
      "cflags_cc": [
        "-std=c++17",
        # A failed allocation ends the process, as in Node itself; errors are values.
        "-fno-exceptions",
        "-fno-rtti"
      ],
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "<!@(node scripts/sources.mjs src/backend/pulse)",
            "src/backend/platform_posix.cc",
            "src/backend/process_table_posix.cc",
            "src/backend/realtime_kit.cc"
          ],
          "libraries": ["-ldl", "-lpthread"],
          # A libstdc++ or glibc newer than the user's is what keeps prebuilds from loading.
          "ldflags": [
            "-static-libstdc++",
            "-static-libgcc",
            "-Wl,--version-script=<(module_root_dir)/src/addon/exports.map",
            "<!@(node scripts/glibc-floor.mjs)"
          ]
        }],
        ["OS=='win'", {
          "sources": [
            "<!@(node scripts/sources.mjs src/backend/wasapi)",
            "src/backend/platform_windows.cc",
            "src/backend/process_table_windows.cc"
          ],
          "defines": [
            "UNICODE",
            "_UNICODE",
            "NOMINMAX",
            "WIN32_LEAN_AND_MEAN",
            # Windows 10: what Node 20 itself asks for.
            "_WIN32_WINNT=0x0A00"
          ],
          "libraries": ["advapi32.lib", "ole32.lib"],
          "msvs_settings": {
            "VCCLCompilerTool": {
              "AdditionalOptions": ["/std:c++17", "/utf-8"],
              "WarningLevel": 3,
              "ExceptionHandling": 0
            }
          }
        }]
      ]
    }
  ]
}
