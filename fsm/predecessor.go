package fsm

import (
	"slices"
	"strings"
)

// predecessorPrefix begins the settings that name the clusters whose state this one has taken over, by
// a recovery or by the restore of a backup. Agents of these clusters belong to this one.
const predecessorPrefix = "predecessor/"

// Predecessors are the ids of those clusters, in order.
func (f *FSM) Predecessors() []string {
	var ids []string
	for key := range *f.settings.Load() {
		if id, ok := strings.CutPrefix(key, predecessorPrefix); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Succession is the entry by which a recovered cluster takes over from the one that lost its majority.
func Succession(predecessor string) []byte {
	c := setting{Setting: Setting{Key: predecessorPrefix + predecessor, Value: "recovered"}}
	return encodeEntry([][]byte{encodeCommand(envelope{}, &c)})
}

// succeed takes over from the cluster of a backup.
func (c *restore) succeed(t *tx) {
	if c.foreign && c.cluster != "" {
		t.set(predecessorPrefix+c.cluster, "restored")
	}
}
