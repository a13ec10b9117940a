package recipe

import (
	"cmp"
	"fmt"
	"path"

	"github.com/ffrtmp/ffrtmp"
)

// Sidecar is a file of extracted subtitles, which ffmpeg writes beside the output.
type Sidecar struct {
	Work  File `json:"work"`  // created as the next descriptor from SidecarFD
	Final File `json:"final"` // its published name
}

// sidecarMuxers are ffmpeg's names of the formats of sidecars, by ffprobe's.
var sidecarMuxers = map[string]string{"ass": "ass", "subrip": "srt", "webvtt": "webvtt"}

// sidecars adds the files of extracted subtitles: further outputs of the same ffmpeg, which read the same part of the
// input.
func (p *Plan) sidecars(e ffrtmp.Encoding, run Run, roots Roots, s *Source, extracted []subtitleTrack) error {
	for i, t := range extracted {
		final, err := roots.Output(t.SidecarName(cmp.Or(e.Output, "job_"+run.JobID+e.Container().Extension)))
		if err != nil {
			return err
		}
		work := File{Root: final.Root, Name: path.Join(path.Dir(final.Name), workName(path.Base(final.Name), run))}
		p.Sidecars = append(p.Sidecars, Sidecar{work, final})
		p.add("-map", t.from, "-c:s", t.encoder)
		p.add(trim(e, s)...)
		p.add("-f", sidecarMuxers[t.codec], fmt.Sprintf("file:/proc/self/fd/%d", SidecarFD+i))
	}
	return nil
}

// WorkFiles returns the files that the run writes.
func (p *Plan) WorkFiles() []File {
	var list []File
	if p.Work != nil {
		list = append(list, *p.Work)
	}
	for _, s := range p.Sidecars {
		list = append(list, s.Work)
	}
	return list
}
