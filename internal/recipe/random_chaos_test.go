//go:build chaos

package recipe_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var randomFlag = flag.Duration("random", time.Hour, "how long random submissions are drawn")

// An hour of submissions drawn from the catalogue: what is accepted completes and is what was asked, everything else is
// refused with a field's name.
func TestChaos_RandomParameters(t *testing.T) {
	roots, sources := randomSources(t)
	seed, ran := rand.Uint64()>>16, 0
	first := seed
	for start := time.Now(); time.Since(start) < *randomFlag; seed++ {
		if tryRandom(t, roots, sources, seed) {
			ran++
		}
	}
	t.Logf("%d submissions from seed %d, %d of them encoded", seed-first, first, ran)
}
