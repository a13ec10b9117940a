package recipe

import (
	"fmt"
	"math"

	"github.com/ffrtmp/ffrtmp"
)

// still reports whether the video is a still picture.
func still(e ffrtmp.Encoding) bool { return e.Still || e.Picture != "" }

// still adds a picture as an input of one frame.
func (p *Plan) still(e ffrtmp.Encoding, name string, fd int) {
	format := ffrtmp.PictureFormat(name)
	p.add("-protocol_whitelist", "file", "-format_whitelist", format, "-f", format, "-framerate", number(e.FPS), "-i",
		fmt.Sprintf("file:/proc/self/fd/%d", fd))
}

// picture adds the picture that is shown with the input's sound, as the second input.
func (p *Plan) picture(e ffrtmp.Encoding, roots Roots) error {
	if e.Picture == "" {
		return nil
	}
	f, err := roots.Input("picture", e.Picture)
	if err != nil {
		return err
	}
	p.Picture = &f
	p.still(e, e.Picture, PictureFD)
	return nil
}

// endPicture ends a picture, which has no end of its own, with the sound: -shortest alone is late by some frames.
func (p *Plan) endPicture(e ffrtmp.Encoding) {
	if e.Picture == "" {
		return
	}
	p.add("-shortest")
	if rest := p.Want.Rest(p.Want.SourceSeconds); rest > 0 && e.Duration == 0 {
		p.add("-t", number(math.Round(rest*1e6)/1e6))
	}
}

// videoFrom is the video to encode, for -map. V: no cover pictures.
func videoFrom(e ffrtmp.Encoding) string {
	if e.Picture != "" {
		return "1:v:0"
	}
	return "0:V:0"
}

// repeated returns the filters that show a finished picture on and on: all others see it once. A stream of a picture
// alone has nothing else to keep it at real time.
func repeated(e ffrtmp.Encoding) []string {
	switch {
	case !still(e):
		return nil
	case e.Still && e.Mode == ffrtmp.ToRTMP:
		return []string{"loop=loop=-1:size=1", "realtime"}
	}
	return []string{"loop=loop=-1:size=1"}
}
