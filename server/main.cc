#include "server/cli/verb.h"

int main(int argc, char** argv) { return server::run_cli(argc, argv); }
