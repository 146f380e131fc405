/* entry.bpf.c - what is attached to the interfaces, for as long as the deployment
 * lives. It goes on into the current translator; a reload replaces that one
 * element, on all interfaces at once, and there is no moment without translation. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

SEC("xdp.frags")
int apnat_entry(struct xdp_md *ctx)
{
	bpf_tail_call_static(ctx, &programs, 0);
	return XDP_DROP; /* no translator: nothing leaves untranslated */
}

char _license[] SEC("license") = "Dual BSD/GPL";
