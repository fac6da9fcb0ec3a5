/**
 * Whether another machine on the internet can reach a URL: the API fetches images and posts callbacks
 * from outside, where `localhost` and private addresses lead nowhere.
 */

/** Non-public IPv4 ranges (IANA special-purpose registry), as tests on the four numbers. */
const PRIVATE_IPV4: ReadonlyArray<(a: number, b: number) => boolean> = [
	(a) => a === 0 || a === 10 || a === 127 || a >= 224,
	(a, b) => a === 100 && b >= 64 && b <= 127,
	(a, b) => a === 169 && b === 254,
	(a, b) => a === 172 && b >= 16 && b <= 31,
	(a, b) => a === 192 && b === 168,
];

function parseUrl(text: string): URL | undefined {
	try {
		return new URL(text);
	} catch {
		return undefined;
	}
}

function isPublicIpv4(host: string): boolean {
	const [a, b] = host.split('.').map(Number);
	return !PRIVATE_IPV4.some((isPrivate) => isPrivate(a, b));
}

function isPublicIpv6(host: string): boolean {
	if (host === '::' || host === '::1' || /^f[cd]/.test(host) || /^fe[89ab]/.test(host))
		return false;
	// `new URL` writes an IPv4 address inside IPv6 as two hexadecimal groups.
	const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(host);
	if (!mapped) return true;
	const high = parseInt(mapped[1], 16);
	return !PRIVATE_IPV4.some((isPrivate) => isPrivate(high >> 8, high & 255));
}

/** Whether a URL's host can be reached from the internet, judged by its name or address alone. */
export function isPublicUrl(text: string): boolean {
	const host = parseUrl(text)?.hostname.toLowerCase().replace(/\.$/, '') ?? '';
	if (!host) return false;
	if (host.startsWith('[')) return isPublicIpv6(host.slice(1, -1));
	if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return isPublicIpv4(host);
	return host.includes('.') && !/\.(localhost|local|internal|lan|home|localdomain)$/.test(host);
}

/**
 * Why the API could not reach this URL, as the end of a sentence ("is not a web link …"), or
 * undefined when it can. `apiIsLocal`: the API itself runs on this machine, so any host will do.
 */
export function unreachableReason(text: string, apiIsLocal: boolean): string | undefined {
	const url = parseUrl(text);
	if (!url || !/^https?:$/.test(url.protocol)) {
		return 'is not a web link that starts with http:// or https://';
	}
	if (url.username || url.password) return 'holds a user name or password, which would be sent on';
	if (!apiIsLocal && !isPublicUrl(text)) {
		return 'points to a private address, which the Seedance API cannot reach from the internet';
	}
	return undefined;
}
