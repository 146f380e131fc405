// version_agent.cpp - what is running here.
#include "commands/version.h"

#include <sys/utsname.h>

#include "commands/agent.h"
#include "control/answer.h"

namespace apnat {

void version_agent(Agent&, const Arguments&, const AnswerTo& answer) {
  utsname kernel{};
  ::uname(&kernel);
  answer->done(Json{{"version", APNAT_VERSION}, {"abi", APNAT_ABI_VERSION}, {"kernel", kernel.release}});
}

}  // namespace apnat
