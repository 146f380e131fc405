// explain_agent.cpp - words to a frame, a frame to its story.
#include "commands/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "commands/agent.h"
#include "commands/packet_words.h"
#include "control/answer.h"
#include "datapath/explain.h"

namespace apnat {

void explain_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer) {
  const auto interface = arguments.text("interface");
  const auto words = arguments.list("packet");
  if (!interface || !*interface) return answer->refuse("--in: which interface?", ExitCode::kUsage);
  if (!words) return answer->refuse(words.error().text, ExitCode::kUsage);
  const auto frame = packet_from_words(*words);
  if (!frame) return answer->refuse(frame.error().text, ExitCode::kUsage);
  const auto explanation = explain(agent.datapath(), **interface, *frame);
  if (!explanation) return answer->refuse(explanation.error().text);
  answer->done(Json{{"verdict", explanation->verdict},
                    {"fate", explanation->fate},
                    {"sentence", explanation->sentence},
                    {"steps", explanation->steps}});
}

}  // namespace apnat
