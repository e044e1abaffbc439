#include "control.h"

#include <winsock2.h>

#include <string>
#include <thread>

#include "script.h"

namespace patchcord {
namespace {

bool send_line(SOCKET socket, const std::string& text) {
  const std::string line = text + "\n";
  for (size_t sent = 0; sent < line.size();) {
    const int count = send(socket, line.data() + sent, static_cast<int>(line.size() - sent), 0);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
  }
  return true;
}

std::string greeting(const Engine& engine) {
  std::string text = "hello " + std::to_string(GetCurrentProcessId());
  if (!engine.first_script_error.empty()) text += " error " + engine.first_script_error;
  return text;
}

void serve(Engine& engine, SOCKET socket) {
  if (!send_line(socket, greeting(engine))) return;
  std::string received;
  char block[4096];
  for (;;) {
    const int count = recv(socket, block, sizeof(block), 0);
    if (count <= 0) return;
    received.append(block, static_cast<size_t>(count));
    for (size_t end; (end = received.find('\n')) != std::string::npos;) {
      const std::string line = received.substr(0, end);
      received.erase(0, end + 1);
      if (!send_line(socket, run_command(engine, line))) return;
    }
  }
}

void connect_and_serve(Engine& engine, uint16_t port) {
  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return;
  // A child process that inherited the socket would keep the connection after this one's end.
  const SOCKET socket = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                                   WSA_FLAG_NO_HANDLE_INHERIT | WSA_FLAG_OVERLAPPED);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    serve(engine, socket);
  }
  closesocket(socket);
  WSACleanup();
}

}  // namespace

void start_control(Engine& engine, uint16_t port) {
  std::thread([&engine, port] { connect_and_serve(engine, port); }).detach();
}

}  // namespace patchcord
