//go:build chaos

package e2e

import "testing"

// A single master becomes three, five, three and one again under load: no request fails.
func TestChaos_OneThreeFiveThreeOne(t *testing.T) { growAndShrink(t, 5) }
