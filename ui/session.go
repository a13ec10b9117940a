package ui

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ffrtmp/ffrtmp"
)

const (
	tokenCookie  = "ffrtmp-session"
	noticeCookie = "ffrtmp-notice"
	themeCookie  = "ffrtmp-theme"
	cookiePath   = "/ui/"
)

func tokenOf(r *http.Request) string {
	if c, err := r.Cookie(tokenCookie); err == nil {
		return c.Value
	}
	return ""
}

// setToken keeps a session's key in the browser, where no script can read it; "" removes it.
func (c *Console) setToken(w http.ResponseWriter, token string) {
	c.setCookie(w, tokenCookie, token, ffrtmp.SessionLife)
}

func (c *Console) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	cookie := &http.Cookie{
		Name: name, Value: value, Path: cookiePath, HttpOnly: true, Secure: c.cfg.Secure,
		SameSite: http.SameSiteStrictMode, MaxAge: int(life.Seconds()),
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// formToken proves that a form was made for this session. Every master can check it.
func formToken(session string) string {
	mac := hmac.New(sha256.New, []byte(session))
	mac.Write([]byte("ffrtmp form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// checkForm refuses a form that was not made for this session.
func (v *visit) checkForm() error {
	if err := v.ParseForm(); err != nil {
		return ffrtmp.Errorf(ffrtmp.Invalid, "the form cannot be read")
	}
	if subtle.ConstantTimeCompare([]byte(v.PostFormValue("csrf")), []byte(formToken(v.token))) != 1 {
		return ffrtmp.Errorf(ffrtmp.Forbidden, "the form is of another session; try again")
	}
	return nil
}

// notice is a sentence shown once, on the next page.
type notice struct {
	Text string `json:"t"`
	Bad  bool   `json:"b,omitempty"`
}

const (
	noticeLife = 30 * time.Second
	maxNotice  = 1024 // bytes
)

func (v *visit) notify(n notice) {
	n.Text = n.Text[:min(len(n.Text), maxNotice)]
	data, err := json.Marshal(n)
	if err == nil {
		v.console.setCookie(v.w, noticeCookie, base64.RawURLEncoding.EncodeToString(data), noticeLife)
	}
}

// takeNotice returns the notice for this page, if there is one.
func (v *visit) takeNotice() (n notice) {
	c, err := v.Cookie(noticeCookie)
	if err != nil || v.isPart() {
		return n
	}
	v.console.setCookie(v.w, noticeCookie, "", 0)
	data, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(data, &n) != nil {
		return notice{}
	}
	return n
}

// back returns to the page that a form was on, with a notice.
func (v *visit) back(n notice) {
	v.notify(n)
	http.Redirect(v.w, v.Request, localPath(v.PostFormValue("next"), "/ui/"), http.StatusSeeOther)
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	c.renderSignIn(w, r, http.StatusOK, "") //nolint:contextcheck // a visit has it
}

func (c *Console) renderSignIn(w http.ResponseWriter, r *http.Request, status int, failed string) {
	v := &visit{w: w, Request: r, console: c, token: tokenOf(r)}
	if v.identify() == nil {
		http.Redirect(w, r, localPath(r.FormValue("next"), "/ui/"), http.StatusSeeOther)
		return
	}
	v.render(status, "login", "Sign in", struct{ Next, Error string }{localPath(r.FormValue("next"), ""), failed})
}

// signIn opens a session with the key that was typed, or with the one-time key of `ffrtmp ui`.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	if !c.signIns.allow(r.RemoteAddr) {
		w.Header().Set("Retry-After", "10")
		const text = "Too many attempts. Wait ten seconds and try again."
		c.renderSignIn(w, r, http.StatusTooManyRequests, text) //nolint:contextcheck // a visit has it
		return
	}
	v := &visit{w: w, Request: r, console: c, token: r.PostFormValue("key")}
	var session ffrtmp.CreatedKey
	err := v.send(http.MethodPost, "/session", nil, struct{}{}, &session) //nolint:contextcheck // a visit has it
	if err != nil {
		c.renderSignIn(w, r, http.StatusUnauthorized, signInProblem(err)) //nolint:contextcheck // a visit has it
		return
	}
	c.setToken(w, session.Secret)
	http.Redirect(w, r, localPath(r.PostFormValue("next"), "/ui/"), http.StatusSeeOther)
}

func signInProblem(err error) string {
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.Unauthenticated:
		return "This key is not valid: check it, or ask for another."
	case ffrtmp.Forbidden:
		return "This key cannot sign in: it needs the scope read, submit or admin, and must not be a session's."
	}
	return sentence(err)
}

// signOut ends the session on every master.
func signOut(v *visit) error {
	if err := v.send(http.MethodDelete, "/session", nil, struct{}{}, nil); err != nil {
		return err
	}
	v.console.setToken(v.w, "")
	v.notify(notice{Text: "You are signed out."})
	http.Redirect(v.w, v.Request, "/ui/login", http.StatusSeeOther)
	return nil
}

// Sign-ins that one address may try: a burst, then one every few seconds.
const (
	signInBurst    = 10
	signInInterval = 3 * time.Second
	maxAddresses   = 10_000
)

// signIns limits how often an address may try to sign in. It is safe for concurrent use.
type signIns struct {
	mu      sync.Mutex
	buckets map[netip.Prefix]*rate.Limiter
}

func (s *signIns) allow(remote string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	network := networkOf(remote)
	b, ok := s.buckets[network]
	if !ok {
		if s.buckets == nil || len(s.buckets) >= maxAddresses {
			s.buckets = map[netip.Prefix]*rate.Limiter{}
		}
		b = rate.NewLimiter(rate.Every(signInInterval), signInBurst)
		s.buckets[network] = b
	}
	return b.Allow()
}

// networkOf is the address of a client, or its /64 with IPv6.
func networkOf(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64
	}
	network, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
