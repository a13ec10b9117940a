package recipe

import (
	"fmt"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// watermark finds the image that is drawn over the picture.
func (p *Plan) watermark(e ffrtmp.Encoding, roots Roots) error {
	if e.Watermark == nil {
		return nil
	}
	f, err := roots.Input("watermark.image", e.Watermark.Image)
	if err != nil {
		return err
	}
	p.Mark = &f
	return nil
}

// watermarked completes a chain of filters by those that draw the watermark. The graph reads the image itself, so that
// the image is there again when a source changes its size and ffmpeg makes a new graph.
func watermarked(e ffrtmp.Encoding, c color, chain []string) []string {
	w := e.Watermark
	if w == nil {
		return chain
	}
	format, alpha, blend := "yuv420p", "yuva420p", "yuv420"
	if strings.HasSuffix(pixelFormat(e, c), "10le") {
		format, alpha, blend = "yuv420p10le", "yuva420p10le", "yuv420p10"
	}
	x, y := place(w)
	return append(chain, fmt.Sprintf("format=%s[picture0];"+
		"movie=filename=/proc/self/fd/%d:format_name=%s,format=rgba,colorchannelmixer=aa=%s[image0];"+
		// Of scale2ref, iw and ih are the picture's and mdar is the image's.
		"[image0][picture0]scale2ref=w='max(2,min(iw*%s,ih*mdar))':h='max(2,round(ow/mdar))':"+
		"out_color_matrix=%s:out_range=tv[image1][picture1];"+
		"[image1]format=%s[image2];[picture1][image2]overlay=x='%s':y='%s':format=%s",
		format, WatermarkFD, ffrtmp.PictureFormat(w.Image), number(w.Opacity/100), number(w.Width/100),
		scaleMatrix(c.matrix), alpha, x, y, blend))
}

// place returns the position of a watermark as expressions of the overlay filter.
func place(w *ffrtmp.Mark) (x, y string) {
	margin := "W*" + number(w.Margin/100)
	x, y = "W-w-"+margin, "H-h-"+margin
	switch {
	case w.Position == "center":
		return "(W-w)/2", "(H-h)/2"
	case strings.HasSuffix(w.Position, "left"):
		x = margin
	}
	if strings.HasPrefix(w.Position, "top") {
		y = margin
	}
	return x, y
}

// scaleMatrix is the scale filter's name of a matrix.
func scaleMatrix(matrix string) string {
	if matrix == "bt470bg" {
		return "bt470"
	}
	return matrix
}
