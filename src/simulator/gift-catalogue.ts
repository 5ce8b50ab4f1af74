/** A gift of the fictional catalogue. Names are made up; ids and prices are of the real ones' order of magnitude. */
export interface CatalogueGift {
  readonly giftId: string;
  readonly name: string;
  /** Price of one, in coins. */
  readonly diamondCount: number;
  /** 1 may be sent in streaks; 2 comes once. */
  readonly type: 1 | 2;
  /** How often it is chosen, in relation to the others. */
  readonly weight: number;
}

/** Every gift that a simulated viewer may send. */
export const GIFTS: readonly CatalogueGift[] = [
  { giftId: '900001', name: 'Pebble', diamondCount: 1, type: 1, weight: 40 },
  { giftId: '900002', name: 'Daisy', diamondCount: 1, type: 1, weight: 30 },
  { giftId: '900003', name: 'Pretzel', diamondCount: 5, type: 1, weight: 14 },
  { giftId: '900004', name: 'Kite', diamondCount: 20, type: 1, weight: 6 },
  { giftId: '900005', name: 'Paper Crane', diamondCount: 30, type: 1, weight: 4 },
  { giftId: '900006', name: 'Lighthouse', diamondCount: 199, type: 2, weight: 3 },
  { giftId: '900007', name: 'Hot-Air Balloon', diamondCount: 1_000, type: 2, weight: 2 },
  { giftId: '900008', name: 'Comet', diamondCount: 5_000, type: 2, weight: 1 },
];
