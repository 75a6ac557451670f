// Prints the greeting that lies in its runfiles.

#include <fstream>
#include <iostream>
#include <string>

int main(int argc, char **argv) {
  (void)argc;
  std::ifstream file(std::string(argv[0]) + ".runfiles/_main/greeting.txt");
  std::string line;
  if (!std::getline(file, line)) {
    std::cerr << "no greeting\n";
    return 1;
  }
  std::cout << line << "\n";
  return 0;
}
