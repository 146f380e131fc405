// trace_agent.cpp - the question is an event first; the history answers on a thread of its own.
#include "commands/trace.h"

#include <pwd.h>

#include <array>

#include "base/clock.h"
#include "commands/agent.h"
#include "commands/trace_words.h"
#include "control/answer.h"
#include "events/time_text.h"

namespace apnat {
namespace {

std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return found ? found->pw_name : "";
}

}  // namespace

void trace_agent(Agent& agent, const Arguments& arguments, const AnswerTo& answer) {
  const auto query = parse_trace(arguments);
  if (!query) return answer->refuse(query.error().text, ExitCode::kUsage);
  const auto uid = answer->asker();
  if (!uid) return answer->refuse("who asks is not known, and the history answers nobody who is not");
  const std::string user = user_name(*uid);
  agent.tell(TraceAsked{*uid, user, query_text(*query)});

  Json signature{{"node", agent.node()},
                 {"version", APNAT_VERSION},
                 {"asked_at", rfc3339(SystemClock().realtime())},
                 {"asked_by", {{"uid", *uid}, {"user", user.empty() ? Json() : Json(user)}}}};
  const auto question = [query = *query](Archive& archive, const HistoryView& view) {
    if (const auto* who = std::get_if<WhoHad>(&query)) return archive.who_had(view, *who);
    return archive.what_had(view, std::get<WhatHad>(query));
  };
  agent.ask_history(question, [answer, query = *query, signature](Result<Findings> findings) {
    if (!findings) return answer->refuse(findings.error().text);
    Json json = shape(query, *findings);
    json.update(signature);
    answer->done(json);
  });
}

}  // namespace apnat
