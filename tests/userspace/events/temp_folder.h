// temp_folder.h - a folder that is gone with its owner.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace apnat::test {

struct TempFolder {
  std::filesystem::path path;
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "apnat-events-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path); }
};

}  // namespace apnat::test
