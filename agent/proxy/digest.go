package proxy

import (
	"crypto/md5" //nolint:gosec // what cameras speak
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// challenge is how a server wants to be given a password: Basic or Digest (RFC 2617 and 7616, without qop, as RTSP
// servers do).
type challenge struct {
	scheme            string // basic, digest, or "" for none that is known
	realm, nonce      string
	opaque, algorithm string
	hash              func(string) string
}

var challengeField = regexp.MustCompile(`(\w+)=(?:"([^"]*)"|([^\s,]+))`)

// newChallenge chooses Digest over Basic.
func newChallenge(headers []string) challenge {
	var best challenge
	for _, header := range headers {
		scheme, rest, _ := strings.Cut(header, " ")
		c := challenge{scheme: strings.ToLower(scheme), hash: md5Hex}
		for _, m := range challengeField.FindAllStringSubmatch(rest, -1) {
			value := m[2] + m[3]
			switch strings.ToLower(m[1]) {
			case "realm":
				c.realm = value
			case "nonce":
				c.nonce = value
			case "opaque":
				c.opaque = value
			case "algorithm":
				c.algorithm = value
			}
		}
		if strings.EqualFold(c.algorithm, "SHA-256") {
			c.hash = sha256Hex
		}
		if c.scheme == "digest" && best.scheme != "digest" || c.scheme == "basic" && best.scheme == "" {
			best = c
		}
	}
	return best
}

// answer returns the value of the header Authorization for a request.
func (c *challenge) answer(user *url.Userinfo, method, uri string) string {
	name := user.Username()
	password, _ := user.Password()
	if c.scheme == "basic" {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
	}
	response := c.hash(c.hash(name+":"+c.realm+":"+password) + ":" + c.nonce + ":" + c.hash(method+":"+uri))
	text := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`,
		strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(name), c.realm, c.nonce, uri, response)
	if c.opaque != "" {
		text += `, opaque="` + c.opaque + `"`
	}
	if c.algorithm != "" {
		text += ", algorithm=" + c.algorithm
	}
	return text
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // what cameras speak
	return hex.EncodeToString(sum[:])
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
