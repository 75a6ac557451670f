#include <cstdio>

const char *words();

int main() {
  std::puts(words());
  return 0;
}
