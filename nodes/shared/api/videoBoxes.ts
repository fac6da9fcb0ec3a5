/**
 * Whether an MP4 is complete, by its boxes: each has its length (ISO/IEC 14496-12, 4.2). The header
 * with the length of a file may be absent, or that of a compressed body.
 */

/** Boxes that every MP4 consists of: only these are judged. */
const KNOWN_BOXES = [
	...['ftyp', 'styp', 'moov', 'mdat', 'moof', 'mfra', 'sidx'],
	...['free', 'skip', 'wide', 'meta', 'uuid'],
];
const LONG_HEADER_BYTES = 16;

/**
 * The length in a box's header: Infinity is "until the end of the file", undefined needs more
 * bytes.
 */
function lengthIn(header: Buffer): number | undefined {
	if (header.length < 8) return undefined;
	const short = header.readUInt32BE(0);
	if (short === 0) return Infinity;
	if (short !== 1) return short;
	return header.length < LONG_HEADER_BYTES ? undefined : Number(header.readBigUInt64BE(8));
}

/** Reads a file's boxes while its bytes pass by; keeps none of them. */
export interface BoxReader {
	add: (bytes: Uint8Array) => void;
	/**
	 * True when the bytes so far are an MP4 that lacks its end. False for everything that cannot be
	 * judged.
	 */
	isCut: () => boolean;
}

/**
 * A reader for one file: hand its bytes to `add` in order, then ask `isCut`. Source: ISO/IEC
 * 14496-12, 4.2.
 */
export function boxReader(): BoxReader {
	let header: number[] = [];
	/** Bytes of the present box still to come. */
	let left = 0;
	let isKnown = true;
	const seen = new Set<string>();
	const enter = (length: number) => {
		const name = String.fromCharCode(...header.slice(4, 8));
		isKnown = KNOWN_BOXES.includes(name) && length >= header.length;
		// What follows an unknown box is not read: it may be anything.
		left = isKnown ? length - header.length : Infinity;
		seen.add(name);
		header = [];
	};
	return {
		add: (bytes) => {
			let at = 0;
			while (at < bytes.length) {
				const step = Math.min(left, bytes.length - at);
				left -= step;
				at += step;
				if (at >= bytes.length) return;
				header.push(bytes[at++]);
				const length = lengthIn(Buffer.from(header));
				if (length !== undefined) enter(length);
			}
		},
		isCut: () => {
			if (!isKnown) return false;
			const isInBox = left > 0 && left !== Infinity;
			return isInBox || !seen.has('moov') || !seen.has('mdat');
		},
	};
}
