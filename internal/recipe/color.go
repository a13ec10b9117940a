package recipe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// color is what an output's color tags say, and how a source gets there.
type color struct {
	matrix, transfer, primaries string // of the output
	rgb                         bool   // the source has no matrix
	hdr                         string // the source's transfer, when that is an HDR one
	wide                        bool   // the source has BT.2020 colors without HDR
	keep                        bool   // HDR stays
}

// Transfers of HDR10 and HLG.
const (
	pq  = "smpte2084"
	hlg = "arib-std-b67"
)

// What ffprobe and setparams both name and players understand; other values are replaced by defaults.
var (
	knownMatrices  = []string{"bt709", "smpte170m", "bt470bg", "smpte240m", "fcc"}
	knownTransfers = []string{"bt709", "smpte170m", "bt470m", "bt470bg", "smpte240m", "iec61966-2-1"}
	knownPrimaries = []string{"bt709", "smpte170m", "bt470m", "bt470bg", "smpte240m"}
)

// colorOf returns the colors of an encoding of a source. The source's own are kept, except that RGB, BT.2020 and HDR
// become BT.709. Those of a source without tags are guessed by its size, as players do.
func colorOf(s *Source, e ffrtmp.Encoding) color {
	width, height := e.Width, e.Height
	v := s.video()
	if v == nil {
		return byMatrix(guessMatrix(width, height))
	}
	c := byMatrix(guessMatrix(v.Width, v.Height))
	if slices.Contains(knownMatrices, v.Matrix) {
		c = byMatrix(v.Matrix)
	}
	switch transfer := transferOf(v); {
	case transfer == pq || transfer == hlg:
		c = byMatrix("bt709")
		c.hdr, c.keep = transfer, e.KeepHDR
		if c.keep {
			c.matrix, c.transfer, c.primaries = "bt2020nc", transfer, "bt2020"
		}
		return c
	case v.Primaries == "bt2020" || strings.HasPrefix(v.Matrix, "bt2020"):
		c = byMatrix("bt709")
		c.wide = true
		return c
	case isRGB(v.PixelFormat):
		c = byMatrix("bt709")
		c.rgb = true
	}
	if slices.Contains(knownTransfers, v.Transfer) {
		c.transfer = v.Transfer
	}
	if slices.Contains(knownPrimaries, v.Primaries) {
		c.primaries = v.Primaries
	}
	return c
}

// transferOf returns the transfer of a source. What only HDR10 has says so where the tag is missing.
func transferOf(v *ffprobe.Stream) string {
	if v.Transfer != "" && v.Transfer != "unknown" {
		return v.Transfer
	}
	for _, data := range v.SideData {
		if data.Type == "Mastering display metadata" || data.Type == "Content light level metadata" {
			return pq
		}
	}
	return v.Transfer
}

func isRGB(format string) bool {
	for _, prefix := range []string{"rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb"} {
		if strings.HasPrefix(format, prefix) {
			return true
		}
	}
	return false
}

// guessMatrix returns the matrix of video of a size: BT.709 for HD, else that of PAL or NTSC.
func guessMatrix(width, height int) string {
	switch {
	case width >= 1280 || height > 576:
		return "bt709"
	case height == 576 || height == 288:
		return "bt470bg"
	}
	return "smpte170m"
}

// byMatrix returns the colors that usually go with a matrix.
func byMatrix(matrix string) color {
	c := color{matrix: matrix, transfer: "smpte170m", primaries: matrix}
	switch matrix {
	case "bt709":
		c.transfer = "bt709"
	case "fcc":
		c.primaries = "bt470m"
	case "smpte240m":
		c.transfer = "smpte240m"
	}
	return c
}

// tags is the filter that sets the tags. ffmpeg takes an encoder's from the frames.
func (c color) tags() string {
	return "setparams=range=tv:color_primaries=" + c.primaries + ":color_trc=" + c.transfer + ":colorspace=" + c.matrix
}

// convert returns the filters from the source's colors to the output's.
func (c color) convert(m Machine) []string {
	switch {
	case c.keep:
		return nil
	case c.hdr != "" && m.NoZscale:
		return plainToneMap(c.hdr)
	case c.hdr != "":
		return []string{ // zscale finds no way from colors whose tags are missing
			"setparams=color_primaries=bt2020:color_trc=" + c.hdr + ":colorspace=bt2020nc",
			"zscale=tin=" + c.hdr + ":min=bt2020nc:pin=bt2020:rin=tv:t=linear:npl=100", "format=gbrpf32le",
			"zscale=p=bt709",
			"tonemap=tonemap=hable:desat=0", "zscale=t=bt709:m=bt709:r=tv",
		}
	case c.wide && m.NoZscale:
		return []string{"scale=in_color_matrix=bt2020:out_color_matrix=bt709"}
	case c.wide:
		return []string{"zscale=tin=bt709:min=bt2020nc:pin=bt2020:rin=tv:t=bt709:m=bt709:p=bt709:r=tv"}
	}
	return nil
}

// plainToneMap replaces zscale where ffmpeg lacks it, with tables for each channel in linear light: 100 nits are 1, and
// the curve is that of tonemap=hable. Hues of the brightest colors differ a little.
func plainToneMap(transfer string) []string {
	light := "100*pow(max(pow(X,1/78.84375)-0.8359375,0)/(18.8515625-18.6875*pow(X,1/78.84375)),1/0.1593017578125)"
	if transfer == hlg {
		light = "10*if(lte(X,0.5),X*X/3,(exp((X-0.55991073)/0.17883277)+0.28466892)/12)"
	}
	light = strings.ReplaceAll(light, "X", "(val/maxval)")
	const peak = 0.7062 // hable(10)
	const hable = "((ld(0)*(0.15*ld(0)+0.05)+0.004)/(ld(0)*(0.15*ld(0)+0.5)+0.06)-1/15)"
	curve := fmt.Sprintf("st(0,%s);clip(maxval*%s/%g,0,maxval)", light, hable, peak)
	gamma := "clip(maxval*if(lt(val/maxval,0.018),4.5*val/maxval,1.099*pow(val/maxval,0.45)-0.099),0,maxval)"
	return []string{
		"scale=in_color_matrix=bt2020:in_range=tv:out_range=pc", "format=gbrp16le",
		"lutrgb=r='" + curve + "':g='" + curve + "':b='" + curve + "'",
		"colorchannelmixer=1.6605:-0.5876:-0.0728:0:-0.1246:1.1329:-0.0083:0:-0.0182:-0.1006:1.1187",
		"lutrgb=r='" + gamma + "':g='" + gamma + "':b='" + gamma + "'",
		"scale=out_color_matrix=bt709:out_range=tv",
	}
}
