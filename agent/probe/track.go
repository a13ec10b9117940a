package probe

import (
	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// verifyTracks compares the output's tracks with those that a job lists. Audio tracks are compared if the source has
// sound.
func verifyTracks(m ffprobe.Report, want recipe.Want, sound bool) error {
	if sound && want.Has("audio") {
		if err := verifyKind("audio", m, want.Tracks); err != nil {
			return err
		}
	}
	if want.Codec == "" {
		return nil // a cover picture's file has no subtitles
	}
	return verifyKind("subtitle", m, want.Tracks)
}

func verifyKind(kind string, m ffprobe.Report, want []recipe.Track) error {
	var got []ffprobe.Stream
	for _, s := range m.Streams {
		if s.Type == kind {
			got = append(got, s)
		}
	}
	n := 0
	for _, t := range want {
		if t.Type != kind {
			continue
		}
		if n < len(got) && t.Codec != "" && got[n].Codec != t.Codec {
			return failure.Errorf(ffrtmp.RuntimeError, "the output's %s track %d is %q, not %s", kind, n, got[n].Codec,
				t.Codec)
		}
		n++
	}
	if len(got) != n {
		return failure.Errorf(ffrtmp.RuntimeError, "the output has %d %s tracks, not %d", len(got), kind, n)
	}
	return nil
}
