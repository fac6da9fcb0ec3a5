/**
 * What the clips show: a paper boat that sails at dusk, and a caption that says that nobody has generated it. Drawn here, pixel
 * by pixel, because the encoder's own pictures look like a television test card, and fonts are not on every machine.
 */

type Colour = readonly [red: number, green: number, blue: number];
type Pixel = readonly [...Colour, alpha: number];

const CAPTION = 'SIMULATED VIDEO';
/** Seven rows of five dots for each letter, a bit for each dot. */
const LETTERS: Record<string, readonly number[]> = {
	A: [14, 17, 17, 31, 17, 17, 17],
	D: [30, 17, 17, 17, 17, 17, 30],
	E: [31, 16, 16, 30, 16, 16, 31],
	I: [14, 4, 4, 4, 4, 4, 14],
	L: [16, 16, 16, 16, 16, 16, 31],
	M: [17, 27, 21, 21, 17, 17, 17],
	O: [14, 17, 17, 17, 17, 17, 14],
	S: [15, 16, 16, 14, 1, 1, 30],
	T: [31, 4, 4, 4, 4, 4, 4],
	U: [17, 17, 17, 17, 17, 17, 14],
	V: [17, 17, 17, 17, 17, 10, 4],
};
/** Of a letter, with the gap behind it. */
const LETTER_WIDTH = 6;

const [TOP, DUSK, SUN, SEA, DEEP, PAPER, SHADE]: readonly Colour[] = [
	[35, 41, 92],
	[246, 150, 104],
	[255, 226, 160],
	[52, 96, 140],
	[16, 38, 74],
	[252, 248, 238],
	[214, 208, 200],
];
const CLEAR: Pixel = [0, 0, 0, 0];
const HORIZON = 0.58;

const mix = (from: Colour, to: Colour, part: number): Colour => [
	from[0] + (to[0] - from[0]) * part,
	from[1] + (to[1] - from[1]) * part,
	from[2] + (to[2] - from[2]) * part,
];

/** An image with transparency, as the encoder reads it (PAM). `pixel` takes parts of the width and of the height. */
function imageOf(width: number, height: number, pixel: (x: number, y: number) => Pixel): Buffer {
	const header = `P7\nWIDTH ${width}\nHEIGHT ${height}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n`;
	const dots = Buffer.alloc(width * height * 4);
	for (let y = 0; y < height; y++) {
		for (let x = 0; x < width; x++) {
			dots.set(pixel(x / width, y / height).map(Math.round), (y * width + x) * 4);
		}
	}
	return Buffer.concat([Buffer.from(header), dots]);
}

/** Whether a dot of the caption is here, counted in dots from its upper left corner. */
function isLetter(column: number, row: number): boolean {
	const letter = LETTERS[CAPTION[Math.floor(column / LETTER_WIDTH)] ?? ' '];
	return ((letter?.[row] ?? 0) & (16 >> column % LETTER_WIDTH)) > 0;
}

function sky(width: number, height: number): Buffer {
	const short = Math.min(width, height);
	const dot = Math.floor((width * 0.7) / (CAPTION.length * LETTER_WIDTH));
	const left = (width - dot * CAPTION.length * LETTER_WIDTH) / 2;
	return imageOf(width, height, (x, y) => {
		const column = Math.floor((x * width - left) / dot);
		const row = Math.floor((y * height - height * 0.06) / dot);
		if (column >= 0 && isLetter(column, row)) return [...PAPER, 255];
		if (y > HORIZON) return [...mix(SEA, DEEP, (y - HORIZON) / (1 - HORIZON)), 255];
		const away = Math.hypot((x - 0.7) * width, (y - 0.47) * height) / short;
		return [...(away < 0.11 ? SUN : mix(TOP, DUSK, y / HORIZON)), 255];
	});
}

function boat(size: number): Buffer {
	return imageOf(size, size, (x, y) => {
		const aside = Math.abs(x - 0.5);
		const isSail = y > 0.08 && y < 0.62 && aside < (y - 0.08) * 0.42;
		const isHull = y >= 0.6 && y < 0.9 && aside < 0.5 - (y - 0.6) * 0.75;
		if (isSail) return [...(x < 0.5 ? PAPER : SHADE), 255];
		return isHull ? [...(y < 0.75 ? PAPER : SHADE), 255] : CLEAR;
	});
}

/** A strip of water that is one wave longer than the picture, so that it can move on without an end. */
function water(width: number, height: number, wave: number): Buffer {
	const whole = width + wave;
	return imageOf(whole, height, (x, y) => {
		const crest = 0.06 + 0.05 * Math.sin((x * whole * 2 * Math.PI) / wave);
		return y < crest ? CLEAR : [...mix(SEA, DEEP, y), 235];
	});
}

/** The layers of a picture of this size, from back to front, and how the encoder lays them over each other. */
export function sceneOf(width: number, height: number): { layers: Buffer[]; filter: string } {
	const size = 2 * Math.round(Math.min(width, height) * 0.24);
	const wave = 2 * Math.round(width / 6);
	const sea = Math.round(height * 0.34);
	const along = `(W-w)/2+W*0.18*sin(t*0.7-0.6)`;
	const afloat = `H*0.73-h+H*0.012*sin(t*2.4)`;
	return {
		layers: [sky(width, height), boat(size), water(width, sea, wave)],
		filter: [
			// Read and converted once, and shown without an end.
			...[0, 1, 2].map((layer) => `[${layer}]format=yuva420p,loop=loop=-1:size=1[l${layer}]`),
			`[l0][l1]overlay=x=${along}:y=${afloat}[a]`,
			`[a][l2]overlay=x=-mod(t*${wave}/3\\,${wave}):y=H-h`,
		].join(';'),
	};
}
