/** An MP4 without its end is told by its boxes, in whatever pieces it comes; nothing else is judged. */
import { boxReader } from '../../nodes/shared/api/videoBoxes';

function box(name: string, size: number, header = Buffer.alloc(8)): Buffer {
	if (header.length === 8) header.writeUInt32BE(8 + size);
	header.write(name, 4, 'latin1');
	return Buffer.concat([header, Buffer.alloc(size, 7)]);
}

/** A box whose length stands in eight bytes, as in films over 4 GB. */
function longBox(name: string, size: number): Buffer {
	const header = Buffer.alloc(16);
	header.writeUInt32BE(1);
	header.writeBigUInt64BE(BigInt(16 + size), 8);
	return box(name, size, header);
}

/** A box that goes on until the end of the file. */
function lastBox(name: string, size: number): Buffer {
	const open = box(name, size);
	open.writeUInt32BE(0);
	return open;
}

const FILMS: ReadonlyArray<[name: string, bytes: Buffer]> = [
	['with the index first', Buffer.concat([box('ftyp', 16), box('moov', 90), box('mdat', 300)])],
	['with the index last', Buffer.concat([box('ftyp', 16), box('mdat', 300), box('moov', 90)])],
	[
		'in fragments',
		Buffer.concat([box('ftyp', 16), box('moov', 90), box('moof', 20), box('mdat', 300)]),
	],
	['with a long box', Buffer.concat([box('ftyp', 16), box('moov', 90), longBox('mdat', 300)])],
];

const isCut = (...pieces: Buffer[]) => {
	const reader = boxReader();
	for (const piece of pieces) reader.add(piece);
	return reader.isCut();
};

describe.each(FILMS)('a film %s', (_name, film) => {
	it('is whole', () => {
		expect(isCut(film)).toBe(false);
	});

	it('is whole however it comes', () => {
		expect(isCut(...Array.from(film, (byte) => Buffer.from([byte])))).toBe(false);
	});

	it.each([0.02, 0.1, 0.2, 0.5, 0.9, 0.999])('is cut after %d of it', (part) => {
		expect(isCut(film.subarray(0, Math.floor(film.length * part)))).toBe(true);
	});
});

it('is cut when it ends between two boxes', () => {
	expect(isCut(box('ftyp', 16), box('moov', 90))).toBe(true);
	expect(isCut(box('ftyp', 16), box('mdat', 90))).toBe(true);
});

it.each([
	['has a box without an end', [box('ftyp', 16), box('moov', 9), lastBox('mdat', 30)]],
	[
		'is followed by a few bytes',
		[box('ftyp', 16), box('moov', 9), box('mdat', 30), Buffer.alloc(5)],
	],
	['is followed by anything else', [box('ftyp', 16), box('mdat', 9), Buffer.alloc(40, 'x')]],
	['is a WebM', [Buffer.from('1a45dfa39f4286810142f7810142f2810442f38108', 'hex')]],
	['has a length that cannot be', [box('ftyp', 16), Buffer.from('\0\0\0\x03moov')]],
])('is not called cut when it %s', (_name, pieces) => {
	expect(isCut(...pieces)).toBe(false);
});
