package getlib

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// defaultIndex is the index that pip uses without any configuration.
const defaultIndex = "https://pypi.org/simple"

// config is the part of pip's configuration that says where packages come from.
type config struct {
	indexes []string // index-url, extra-index-url
	links   []string // find-links: folders, or pages with links to wheels
	cert    string   // a file with certificates to trust
	proxy   string
}

// readConfig reads pip's configuration: the files of the system, of the user and of a virtual
// environment, the file that PIP_CONFIG_FILE names, then the variables PIP_…. Later ones override
// earlier ones, and settings for `pip install` and `pip download` override those for all commands.
func readConfig() config {
	values := map[string]string{}
	for _, file := range configFiles() {
		for key, value := range readINI(file) {
			values[key] = value
		}
	}
	get := func(name string) string {
		variable := "PIP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if value, set := os.LookupEnv(variable); set {
			return strings.TrimSpace(value)
		}
		return cmp.Or(values["download."+name], values["install."+name], values["global."+name])
	}
	c := config{
		links: strings.Fields(get("find-links")),
		cert:  cmp.Or(get("cert"), os.Getenv("REQUESTS_CA_BUNDLE"), os.Getenv("CURL_CA_BUNDLE")),
		proxy: get("proxy"),
	}
	if !slices.Contains([]string{"1", "true", "yes", "on", "t", "y"}, strings.ToLower(get("no-index"))) {
		c.indexes = append([]string{cmp.Or(get("index-url"), defaultIndex)}, strings.Fields(get("extra-index-url"))...)
	}
	return c
}

// systemConfig is the configuration for all users.
var systemConfig = "/etc/pip.conf"

// configFiles lists the files that pip reads; later ones override earlier ones.
func configFiles() []string {
	named := os.Getenv("PIP_CONFIG_FILE")
	if named == os.DevNull {
		return nil
	}
	var files []string
	for _, dir := range filepath.SplitList(cmp.Or(os.Getenv("XDG_CONFIG_DIRS"), "/etc/xdg")) {
		files = append(files, filepath.Join(dir, "pip", "pip.conf"))
	}
	slices.Reverse(files) // the first folder overrides the others
	files = append(files, systemConfig)
	if home := os.Getenv("HOME"); home != "" {
		files = append(files, filepath.Join(home, ".pip", "pip.conf"),
			filepath.Join(cmp.Or(os.Getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "pip", "pip.conf"))
	}
	if env := os.Getenv("VIRTUAL_ENV"); env != "" {
		files = append(files, filepath.Join(env, "pip.conf"))
	}
	if named != "" {
		files = append(files, named)
	}
	return files
}

// readINI reads a file as Python's configparser does, and returns values by "section.key". Invalid
// lines are passed over, and a file that cannot be read counts as empty; pip itself reports both.
func readINI(file string) map[string]string {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // it was read only
	values := map[string]string{}
	section, last := "", ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), " \t\r")
		text := strings.TrimLeft(line, " \t")
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case text != line && last != "": // continues the value above
			values[last] = strings.TrimSpace(values[last] + "\n" + text)
		case text[0] == '[' && strings.HasSuffix(text, "]"):
			section, last = strings.TrimSpace(text[1:len(text)-1]), ""
		default:
			at := strings.IndexAny(text, "=:")
			if at < 0 {
				continue
			}
			key := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text[:at])), "_", "-")
			last = section + "." + key
			values[last] = strings.TrimSpace(text[at+1:])
		}
	}
	return values
}
