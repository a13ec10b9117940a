//go:build chaos

package e2e

import (
	"math/rand/v2"
	"testing"
)

// Every cell of the table of a single master holds, with other bytes at each run.
func TestChaos_DamageSingleMaster(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat: -args -seed %d", seed)
	s := prepareSingle(t, seed)
	for _, c := range s.table.cases(t, singleFiles) {
		s.t = t
		t.Run(c.file+"/"+c.kind, func(t *testing.T) { s.t = t; s.walk(c) })
	}
}

// So does every cell of the table of a master in a cluster.
func TestChaos_DamageMember(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat: -args -seed %d", seed)
	d := prepareMembers(t, seed)
	for _, c := range d.table.cases(t, memberFiles) {
		d.t = t
		t.Run(c.file+"/"+c.kind, func(t *testing.T) { d.t = t; d.walk(c) })
	}
}
