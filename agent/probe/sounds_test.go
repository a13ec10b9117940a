package probe

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Each audio track must reach the end of the source's track that it is made of, however long the others are. What the
// source's packets say counts, not its header.
func TestVerify_SoundEnds(t *testing.T) {
	t.Parallel()
	inputs := append(append(bars("10", "6"), tone("6")...), tone("2")...)
	both, short := []string{"-map", "0", "-map", "1", "-map", "1"}, []string{"-map", "0", "-map", "1", "-map", "2"}
	files := encode(t, inputs, output{"both.mkv", both}, output{"short.mkv", short}, output{"short.mp4", short},
		output{"short.ts", short}, output{"both.ts", both})
	whole, uneven := fileOf(files[0]), fileOf(files[1])
	source := supervisor.Source{Seconds: 6, Audio: true}
	want := wanted("mkv")
	want.Tracks = []recipe.Track{{Type: "audio", Codec: "aac", Source: 0}, {Type: "audio", Codec: "aac", Source: 1}}
	want.Sounds = []float64{6, 6}
	for _, made := range files[1:4] {
		checkRefused(t, verify(t, made, want, source, &whole), ffrtmp.UserError, "audio track 1 is ")
		if err := verify(t, made, want, source, &uneven); err != nil { // whose header is wrong, then
			t.Errorf("%s of a source as short: got %v, want it accepted", made, err)
		}
	}
	must(t, verify(t, files[4], want, source, &whole))
	want.Sounds = []float64{6, 2}
	must(t, verify(t, files[1], want, source, &uneven))
	want.Sounds, want.Seconds = []float64{6, 6}, 2
	cut := encode(t, append(append(bars("10", "2"), tone("2")...), tone("2")...), output{"cut.mkv", short})
	must(t, verify(t, cut[0], want, source, &whole))
}
