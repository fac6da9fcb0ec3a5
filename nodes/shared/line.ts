/** Lines: of callbacks that come at the same moment and mean the same, each sees what became of the one before it. */
import { within, type Clock } from './clock';

/** By what is waited for: when the last one in line is through. */
export type Lines = Map<string, Promise<void>>;

/** A place in line. */
export interface Place {
	/** Resolves when all before this one are through; undefined when there are none. */
	turn?: Promise<void>;
	/** Lets the next one go on. */
	leave: () => void;
}

/** Takes a place in a line, at once: before anything is awaited. */
export function lineUp(lines: Lines, name: string): Place {
	const turn = lines.get(name);
	let leave = () => {};
	const left = new Promise<void>((resolve) => (leave = resolve));
	const isThrough: Promise<void> = Promise.all([turn, left]).then(() => {
		if (lines.get(name) === isThrough) lines.delete(name);
	});
	lines.set(name, isThrough);
	return { turn, leave };
}

/** Waits for the turn of a place, at most so many milliseconds. False when it did not come. */
export async function comesUp({ turn }: Place, ms: number, clock: Clock): Promise<boolean> {
	if (!turn) return true;
	return (
		(await within(
			turn.then(() => true),
			ms,
			clock,
		)) ?? false
	);
}
