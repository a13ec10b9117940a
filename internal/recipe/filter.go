package recipe

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// filters returns the filters between decoder and encoder. Frames are in main memory.
func (p *Plan) filters(e ffrtmp.Encoding, m Machine, s *Source, text []string) []string {
	c := colorOf(s, e)
	var list []string
	if e.Input != "" {
		if !still(e) {
			list = append(list, deinterlacer(e, c)...)
		}
		if r := e.Crop; r != nil {
			list = append(list, fmt.Sprintf("crop=%d:%d:%d:%d:exact=1", r.Width, r.Height, r.X, r.Y))
		}
		if e.FPS > 0 && !still(e) {
			list = append(list, "fps="+number(e.FPS))
		}
		list = append(append(list, scaling(e, c)...), "setsar=1")
		list = append(list, denoiser(e)...)
	}
	list = append(append(list, c.convert(m)...), text...)
	list = append(append(watermarked(e, c, list), "format="+pixelFormat(e, c)), c.tags())
	return append(list, repeated(e)...)
}

// pixelFormat is one that every player shows, or ten bits for HDR.
func pixelFormat(e ffrtmp.Encoding, c color) string {
	switch {
	case e.PixelFormat != "":
		return e.PixelFormat
	case c.hdr != "" && e.KeepHDR:
		return "yuv420p10le"
	case strings.HasSuffix(e.Encoder, "_vaapi"), strings.HasSuffix(e.Encoder, "_qsv"):
		return "nv12"
	}
	return "yuv420p"
}

// Expressions of the scale filter. dar is the source's displayed aspect ratio; sides are even.
const (
	linesWidth  = "'if(gte(dar,1),min(16384,2*round(%[1]d*dar/2)),%[1]d)'"
	linesHeight = "'if(gte(dar,1),%[1]d,min(16384,2*round(%[1]d/dar/2)))'"

	insideWidth  = "'min(%[1]d,max(2,2*round(%[2]d*dar/2)))'"
	insideHeight = "'min(%[2]d,max(2,2*round(%[1]d/dar/2)))'"

	coverWidth  = "'max(%[1]d,2*round(%[2]d*dar/2))'"
	coverHeight = "'max(%[2]d,2*round(%[1]d/dar/2))'"
)

// scaling returns the filters that bring the source's picture to the wanted size, in square pixels.
func scaling(e ffrtmp.Encoding, c color) []string {
	width, height := insideWidth, insideHeight
	var then []string
	switch {
	case !e.ExactSize:
		return []string{scale(c, fmt.Sprintf(linesWidth, e.Height), fmt.Sprintf(linesHeight, e.Height))}
	case e.Fit == ffrtmp.FitStretch:
		width, height = "%[1]d", "%[2]d"
	case e.Fit == ffrtmp.FitCrop:
		width, height = coverWidth, coverHeight
		then = []string{fmt.Sprintf("crop=%d:%d", e.Width, e.Height)}
	case e.Fit == ffrtmp.FitPad:
		then = []string{fmt.Sprintf("pad=%d:%d:-1:-1:%s", e.Width, e.Height, cmp.Or(e.PadColor, "black"))}
	}
	return append([]string{scale(c, sides(width, e), sides(height, e))}, then...)
}

// sides fills in an expression, which may use only one of the sides.
func sides(form string, e ffrtmp.Encoding) string {
	return strings.NewReplacer("%[1]d", fmt.Sprint(e.Width), "%[2]d", fmt.Sprint(e.Height)).Replace(form)
}

func scale(c color, width, height string) string {
	s := "scale=w=" + width + ":h=" + height + ":out_range=tv"
	if c.rgb {
		s += ":out_color_matrix=bt709"
	}
	return s
}
