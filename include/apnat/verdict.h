/* verdict.h - enum verdict, made from verdicts.def. */
#ifndef APNAT_VERDICT_H
#define APNAT_VERDICT_H

enum fate { FATE_FORWARD, FATE_PASS, FATE_ANSWER, FATE_DROP };

/* VERDICT_CONTINUE: this step has nothing to say; the packet goes on. */
enum verdict {
	VERDICT_CONTINUE = 0,
#define VERDICT(name, fate, sentence) VERDICT_##name,
#include <apnat/verdicts.def>
#undef VERDICT
	VERDICT_COUNT,
};

#endif
