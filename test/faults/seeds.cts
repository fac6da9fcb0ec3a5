// Which random schedules run: those of SEED, those of the fixed seeds (SEEDS=fixed), or new ones.
import seeds from './seeds.json';

const DEFAULT_SCHEDULES = 2_000;

/** A whole number from the environment. Throws when there is something else. */
function numberFrom(name: string): number | undefined {
	const text = process.env[name];
	if (!text) return undefined;
	const number = Number(text);
	if (!Number.isInteger(number)) throw new Error(`${name} must be a whole number, not "${text}"`);
	return number;
}

/** Whether the seeds of `seeds.json` are asked for, among them every one that has ever failed. Throws at another word. */
function isFixed(): boolean {
	const { SEEDS = '' } = process.env;
	if (!['', 'fixed'].includes(SEEDS)) {
		throw new Error(`SEEDS must be "fixed" or empty, not "${SEEDS}"`);
	}
	return SEEDS === 'fixed';
}

/** The seeds, each of them with an equal share of the schedules. */
export function seedsOf(): readonly number[] {
	const seed = numberFrom('SEED');
	if (seed !== undefined) return [seed];
	return isFixed() ? seeds.fixed : [Date.now() % 2 ** 31];
}

/** How many schedules there are in all. */
export const schedulesOf = (): number =>
	numberFrom('SCHEDULES') ?? (isFixed() ? seeds.schedules : DEFAULT_SCHEDULES);
