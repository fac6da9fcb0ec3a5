/**
 * Whether the API can reach a URL: it fetches images and posts callbacks. From the internet,
 * `localhost` and private addresses lead nowhere; an API inside a network reaches that network, but
 * only an API on this machine reaches this machine.
 */

/**
 * From where the API fetches: the internet, this network, or this machine. Also from where an
 * address can be reached.
 */
export type ApiReach = 'internet' | 'private' | 'loopback';

/** Non-public IPv4 ranges (IANA special-purpose registry), as tests on the first three numbers. */
const PRIVATE_IPV4: ReadonlyArray<(a: number, b: number, c: number) => boolean> = [
	(a) => a === 10 || a >= 224,
	(a, b) => a === 100 && b >= 64 && b <= 127,
	(a, b) => a === 169 && b === 254,
	(a, b) => a === 172 && b >= 16 && b <= 31,
	(a, b, c) => a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2))),
	(a, b) => a === 198 && (b === 18 || b === 19),
	(a, b, c) => (a === 198 && b === 51 && c === 100) || (a === 203 && b === 0 && c === 113),
];

/**
 * Names that no server on the internet has (RFC 6761, RFC 6762, RFC 8375, and those of home
 * networks).
 */
const PRIVATE_NAME =
	/\.(?:local|internal|intranet|private|corp|lan|home|home\.arpa|localdomain|test|invalid)$/;

function parseUrl(text: string): URL | undefined {
	try {
		return new URL(text);
	} catch {
		return undefined;
	}
}

function reachOfIpv4([a, b, c]: readonly number[]): ApiReach {
	// 0.0.0.0 leads to the machine itself.
	if (a === 127 || a === 0) return 'loopback';
	return PRIVATE_IPV4.some((isPrivate) => isPrivate(a, b, c)) ? 'private' : 'internet';
}

/**
 * IPv6 addresses that hold an IPv4 address at their end, which `new URL` writes as two hexadecimal
 * groups.
 */
const IPV4_IN_IPV6 = /^(?:::ffff:(?:0:)?|64:ff9b::|::)(?:([\da-f]{1,4}):)?([\da-f]{1,4})$/;

function reachOfIpv6(host: string): ApiReach {
	if (host === '::' || host === '::1') return 'loopback';
	if (/^(?:f[cdf]|fe[89a-f]|2001:db8:|100::)/.test(host)) return 'private';
	const held = IPV4_IN_IPV6.exec(host);
	if (!held) return 'internet';
	const [high, low] = [parseInt(held[1] ?? '0', 16), parseInt(held[2], 16)];
	return reachOfIpv4([high >> 8, high & 255, low >> 8, low & 255]);
}

function reachOfHost(host: string): ApiReach {
	if (host.startsWith('[')) return reachOfIpv6(host.slice(1, -1));
	if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return reachOfIpv4(host.split('.').map(Number));
	if (/(?:^|\.)localhost(?:\.localdomain)?$/.test(host)) return 'loopback';
	return host.includes('.') && !PRIVATE_NAME.test(host) ? 'internet' : 'private';
}

function hostOf(url: URL | undefined): string {
	return url?.hostname.toLowerCase().replace(/\.$/, '') ?? '';
}

/**
 * From where a URL's host can be reached, judged by its name or address alone: from the internet,
 * from the same network, or from the same machine. A text that is no URL counts as `internet`: an
 * API there is thought to reach nothing private.
 */
export function reachOf(text: string): ApiReach {
	const host = hostOf(parseUrl(text));
	return host ? reachOfHost(host) : 'internet';
}

/** Whether a URL's host can be reached from the internet, judged by its name or address alone. */
export function isPublicUrl(text: string): boolean {
	return hostOf(parseUrl(text)) !== '' && reachOf(text) === 'internet';
}

/** What an API can reach, by where it stands. */
const REACHES: Readonly<Record<ApiReach, readonly ApiReach[]>> = {
	internet: ['internet'],
	private: ['internet', 'private'],
	loopback: ['internet', 'private', 'loopback'],
};

/**
 * Why the API could not reach this URL, as the end of a sentence ("is not a web link …"), or
 * undefined when it can. `apiReach`: where the API itself stands, `reachOf` of its base URL.
 */
export function unreachableReason(text: string, apiReach: ApiReach): string | undefined {
	const url = parseUrl(text);
	if (!url || !/^https?:$/.test(url.protocol)) {
		return 'is not a web link that starts with http:// or https://';
	}
	if (url.username || url.password) return 'holds a user name or password, which would be sent on';
	const needed = reachOf(text);
	if (REACHES[apiReach].includes(needed)) return undefined;
	if (apiReach === 'private') {
		return 'points to this machine itself (localhost), where the API at your base URL cannot reach it. Use the address that this machine has in its network';
	}
	return 'points to a private address, which the Seedance API cannot reach from the internet';
}
