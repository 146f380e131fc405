/* verdict.h - enum verdict, made from verdicts.def. */
#ifndef APNAT_VERDICT_H
#define APNAT_VERDICT_H

enum fate { FATE_FORWARD, FATE_PASS, FATE_ANSWER, FATE_PUNT, FATE_REFUSE, FATE_DROP };

/* The ICMP error that a packet's sender is told the end by. */
enum icmp_answer {
	ICMP_ANSWER_NONE,
	ICMP_ANSWER_PACKET_TOO_BIG,
	ICMP_ANSWER_TIME_EXCEEDED,
	ICMP_ANSWER_NETWORK_UNREACHABLE,
	ICMP_ANSWER_HOST_UNREACHABLE,
};

/* VERDICT_CONTINUE: this step has nothing to say; the packet goes on. */
enum verdict {
	VERDICT_CONTINUE = 0,
#define VERDICT(name, fate, icmp, sentence) VERDICT_##name,
#include <apnat/verdicts.def>
#undef VERDICT
	VERDICT_COUNT,
};

#endif
